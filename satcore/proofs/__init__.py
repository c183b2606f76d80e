"""What can be proven of a network, whatever the attack."""

from satcore.proofs.linear_bounds import certified

__all__ = ["certified"]
