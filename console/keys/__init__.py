"""The sealing keys: what each seals, and sealing it anew."""
