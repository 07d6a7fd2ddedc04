"""Ownership of domains, and routing of requests to the owner."""
