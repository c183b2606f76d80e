"""Tests of satcore.geometry."""
