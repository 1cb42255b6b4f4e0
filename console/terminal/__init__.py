"""How things stand, live in a terminal."""
