"""Deployment of the CDK templates on this machine: `make deploy-local`."""
