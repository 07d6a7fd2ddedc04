"""The CDK stacks, split by rate of change."""
