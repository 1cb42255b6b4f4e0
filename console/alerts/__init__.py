"""What the window knows of alerts: lists, and one alert whole."""
