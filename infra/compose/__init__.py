"""The small programs of the containers that stand around the components (see compose.yaml)."""
