"""The threads service: what is talked about, who began it, and how to find it."""
