"""The door: checks who pushes, makes the push durable, and answers. It knows nothing of an alert but its id."""
