"""Idempotency keys and the responses stored for them."""
