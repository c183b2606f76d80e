"""What can be proven of a network, whatever the attack, and what can be broken."""

from satcore.proofs.verdicts import Decision, certified, decide, decide_boxes, refusal

__all__ = ["Decision", "certified", "decide", "decide_boxes", "refusal"]
