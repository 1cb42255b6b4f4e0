"""The whole stack from outside; imports nothing of ours."""
