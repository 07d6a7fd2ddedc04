"""Lab 5: route a domain to its service."""
