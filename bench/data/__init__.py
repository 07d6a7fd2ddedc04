"""Generated data, and how both sides are filled with it."""
