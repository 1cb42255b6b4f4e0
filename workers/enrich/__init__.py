"""Enrichment: what can be told of an alert beyond what its sender said."""
