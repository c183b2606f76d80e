"""Tests of satcore.training."""
