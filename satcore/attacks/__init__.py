"""Attacks on the image: one file an attack, one result type, one file for how gradients are taken.

`fgsm` and its like run to the end; `fgsm_steps` and its like yield every Step on the way.
"""

from satcore.attacks.adam import adam, adam_steps
from satcore.attacks.cube import cube, cube_steps
from satcore.attacks.fgsm import fgsm, fgsm_steps
from satcore.attacks.lbfgs import lbfgs, lbfgs_steps
from satcore.attacks.pgd import pgd, pgd_steps
from satcore.attacks.result import AttackResult, Step
from satcore.attacks.square import square, square_steps
from satcore.attacks.transfer import transfer, transfer_steps

__all__ = [
    "AttackResult",
    "Step",
    "adam",
    "adam_steps",
    "cube",
    "cube_steps",
    "fgsm",
    "fgsm_steps",
    "lbfgs",
    "lbfgs_steps",
    "pgd",
    "pgd_steps",
    "square",
    "square_steps",
    "transfer",
    "transfer_steps",
]
