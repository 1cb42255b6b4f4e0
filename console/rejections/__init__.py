"""Rejections: what ended without becoming an alert, and how an operator closes it."""
