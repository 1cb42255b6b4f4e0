"""What people would write first: plain Flask, `task.delay` for each alert, one insert for each task."""
