"""Pure functions, no server."""
