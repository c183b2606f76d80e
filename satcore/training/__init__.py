"""From a recipe to a network: the penalty (Eq. 4–8), bounds in the loss, and the loop."""

from satcore.intervals import worst_logits
from satcore.training.loop import EpochRecord, faster, train, use_deterministic_gpu
from satcore.training.penalty import penalty, saturated_share

__all__ = ["EpochRecord", "faster", "penalty", "saturated_share", "train", "use_deterministic_gpu", "worst_logits"]
