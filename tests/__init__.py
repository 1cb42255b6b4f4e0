"""Tests, laid out by their distance from the code."""
