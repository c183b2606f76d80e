"""Tests of satcore.proofs."""
