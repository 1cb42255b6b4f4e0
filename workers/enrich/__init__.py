"""What is added to an alert: at once and without asking anybody, or by asking others before it is forwarded."""
