"""Lab 8: move live data."""
