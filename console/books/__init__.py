"""The books: what was added to the journal is settled or waiting, and what is on its way."""
