"""The canonical alert: its fields, and what their values are."""
