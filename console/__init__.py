"""The window: the read API for services downstream, and the `alert-intake` command for operators."""
