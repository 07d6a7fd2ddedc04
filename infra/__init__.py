"""What runs the components: routes, the gateway in front, and the local runner."""
