"""Commands of `python -m forum`."""
