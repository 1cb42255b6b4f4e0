"""The checks of `alert-intake doctor`: each says what it looked at, whether that is well, and what to do if not."""
