"""Lab 3: the monolith on ECS, in the templates of the CDK app."""
