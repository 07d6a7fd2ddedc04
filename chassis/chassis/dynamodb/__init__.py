"""DynamoDB access with plain dicts."""
