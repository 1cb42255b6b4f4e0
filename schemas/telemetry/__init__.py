"""What the services tell of themselves in the same way: log lines, counts, spans."""
