"""The fault suite: the whole stack from outside, under load, with one fault at a time; then the books are checked."""
