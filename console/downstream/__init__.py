"""Services downstream: their subscriptions, and the deliveries to them."""
