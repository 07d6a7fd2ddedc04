"""Lab 9: the threads and posts services."""
