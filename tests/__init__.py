"""Tests that mirror satcore/."""
