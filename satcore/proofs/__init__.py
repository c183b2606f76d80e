"""What can be proven of a network, whatever the attack, and what can be broken."""

from satcore.proofs.verdicts import Decision, by_intervals, certified, decide, decide_boxes, refusal

__all__ = ["Decision", "by_intervals", "certified", "decide", "decide_boxes", "refusal"]
