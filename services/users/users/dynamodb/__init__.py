"""The service's data in DynamoDB."""
