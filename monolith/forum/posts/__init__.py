"""Posts: the messages of people in threads."""
