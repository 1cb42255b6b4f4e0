"""What workers tell of their work: log lines, counts, spans, and the listener that shows them."""
