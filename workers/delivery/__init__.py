"""From the database to the services downstream: lease what is due, sign, send, record."""
