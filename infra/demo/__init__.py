"""Demo content, and the tool that loads it through the public API."""
