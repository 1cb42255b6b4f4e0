"""What keeps the database in order: partitions, retention, sessions that died."""
