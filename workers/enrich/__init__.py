"""Local enrichment: what can be added to an alert without asking anybody."""
