"""Tests of satcore.evaluation."""
