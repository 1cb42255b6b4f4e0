"""What happens to alerts, as a stream that a reader can leave and take up again."""
