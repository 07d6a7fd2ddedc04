"""Building blocks of the CDK stacks."""
