"""Infrastructure: routes, the gateway, the local runner, containers and the CDK app."""
