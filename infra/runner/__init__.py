"""Runner of the whole forum on one machine, without containers or an AWS account."""
