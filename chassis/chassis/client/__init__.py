"""HTTP client side: calls to other components."""
