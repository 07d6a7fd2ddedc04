"""Lab 11: what the split costs, and when not to split."""
