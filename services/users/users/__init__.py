"""The users service: people, their names and passwords, and their sessions."""
