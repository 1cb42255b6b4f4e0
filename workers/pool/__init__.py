"""What keeps worker processes going: their size, their life, their memory, their clock."""
