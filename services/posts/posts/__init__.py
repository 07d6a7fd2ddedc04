"""The posts service: the messages of people in threads."""
