"""Lab 7: events."""
