"""Lab 2: the monolith in a container."""
