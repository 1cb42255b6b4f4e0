"""The workshop: from the journal to the database, and from there to the services downstream."""
