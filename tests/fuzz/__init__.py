"""Random bytes for the door and its parsers: `make fuzz`."""
