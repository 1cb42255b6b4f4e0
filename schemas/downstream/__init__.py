"""What downstream services receive, and how they subscribe to it."""
