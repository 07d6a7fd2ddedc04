"""Users: people, their names and passwords, and their sessions."""
