"""Lab 0: get ready."""
