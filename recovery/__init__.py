"""Recovery of a forum's data: backup, restore, and comparison of all copies with their owners."""
