"""What senders send: how a body is read, and an alert out of it."""
