"""Lab 6: the users service on DynamoDB."""
