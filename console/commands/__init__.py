"""The commands of `alert-intake`, one module each, loaded only when called."""
