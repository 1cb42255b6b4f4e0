"""Failovers by Sentinel under load, of the journal and of the broker."""
