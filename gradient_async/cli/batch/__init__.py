"""The commands `gradient-async batch ...`."""
