"""Lab 4: the seam between users and the rest of the monolith."""
