"""Lab 10: when a part fails."""
