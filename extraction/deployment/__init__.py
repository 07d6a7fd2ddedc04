"""The deployment port, and its implementations for `make run` and containers."""
