"""The deployment of the cloud's templates on this machine: `make deploy-local`."""
