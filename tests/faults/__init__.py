"""Faults injected into the running stack."""
