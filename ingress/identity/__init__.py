"""Who pushes: what a client certificate says of its holder, and what the header says."""
