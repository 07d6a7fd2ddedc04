"""Settings for development in containers (compose.dev.yaml)."""
