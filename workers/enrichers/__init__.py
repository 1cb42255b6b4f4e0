"""The enrichers that ask nobody: what each adds to an alert at once."""
