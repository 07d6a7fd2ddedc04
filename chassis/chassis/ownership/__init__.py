"""Ownership of a domain, and its transfer between components."""
