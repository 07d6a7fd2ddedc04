"""The Envoy gateway: routes, rendered configuration, and the process."""
