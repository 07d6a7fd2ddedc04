"""Which component owns each domain, and how requests follow the owner."""
