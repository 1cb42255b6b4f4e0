"""The door's listener: gunicorn's worker, TLS, and whose connections stay."""
