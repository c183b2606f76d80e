"""Attacks on the image: one file an attack, one result type, one file for how gradients are taken."""

from satcore.attacks.fgsm import fgsm
from satcore.attacks.result import AttackResult

__all__ = ["AttackResult", "fgsm"]
