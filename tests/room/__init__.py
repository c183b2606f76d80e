"""Tests of satcore.room."""
