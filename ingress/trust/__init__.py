"""Whether a client certificate may be believed, whether it came by the handshake or a proxy handed it over."""
