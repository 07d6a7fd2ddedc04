"""Generated data, and its loaders for both sides."""
