"""Who may ask the console, and for what: callers, their roles, and the tokens that they show."""
