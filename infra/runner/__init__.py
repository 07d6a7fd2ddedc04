"""Runs the whole forum on one machine, without containers and without an AWS account."""
