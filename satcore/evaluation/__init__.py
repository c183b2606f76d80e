"""How good a network is, and how robust: Table 1, the ladder of attacks, the checks, the grids, what is real of it."""

from satcore.evaluation.attack_checks import Check, Signal, checks, signals, zero_gradients
from satcore.evaluation.rungs import (
    Bracket,
    Rung,
    accuracy_against_epsilon,
    accuracy_against_temperature,
    ladder,
    one_rung,
)
from satcore.evaluation.strongest import WorstCase, worst_case
from satcore.evaluation.table_1 import Measurements, measure

__all__ = [
    "Bracket",
    "Check",
    "Measurements",
    "Rung",
    "Signal",
    "WorstCase",
    "accuracy_against_epsilon",
    "accuracy_against_temperature",
    "checks",
    "ladder",
    "measure",
    "one_rung",
    "signals",
    "worst_case",
    "zero_gradients",
]
