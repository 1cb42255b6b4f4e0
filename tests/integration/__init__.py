"""Parts of ours against real servers."""
