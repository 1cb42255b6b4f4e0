"""HTTP to others, within bounds: where it may go, how long it may take."""
