"""Tests of satcore.attacks."""
