"""The step that makes a push durable, and whether it could be taken now."""
