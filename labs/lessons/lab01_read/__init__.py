"""Lab 1: read the monolith, and find its seams."""
