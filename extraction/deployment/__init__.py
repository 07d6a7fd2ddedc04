"""Where a forum runs: the deployment port and its implementations."""
