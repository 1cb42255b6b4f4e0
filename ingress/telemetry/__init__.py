"""What the door tells of its work: log lines, counts, spans."""
