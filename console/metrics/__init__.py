"""What the stores hold, for Prometheus: the journal, the books, what is due and what was rejected."""
