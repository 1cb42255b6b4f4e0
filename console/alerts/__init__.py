"""What the window knows of alerts: lists, one alert whole, and what happened to them as a feed."""
