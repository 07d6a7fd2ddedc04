"""Sessions, tokens and passwords."""
