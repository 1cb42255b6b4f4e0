"""What the services' listeners share: they quote nothing of a request that cannot be read."""
