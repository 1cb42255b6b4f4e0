"""The journal: envelopes, the stream that they wait in, its room, durability and books, and clients of Redis."""
