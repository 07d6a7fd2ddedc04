"""The posts service: what people write in threads."""
