"""Programs of the infrastructure containers (see compose.yaml)."""
