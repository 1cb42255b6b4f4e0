"""The stores as workers speak to them: their connections, and rows on their way in."""
