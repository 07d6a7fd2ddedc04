"""Who owns a domain, and how it moves between components."""
