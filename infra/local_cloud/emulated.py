"""The part of AWS that the emulator of the offline deployment offers."""

ACCESS_KEY = "local"
"""The access key of `make deploy-local`, whose caller may do everything."""
SETTINGS = {"AUTH": "true", "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": "local"}
"""MiniStack's settings of permissions, which it reads when it is imported."""
PERMITTED, DENIED = "permitted", "denied"
"""First words of a line of the emulator's log, before the role, the action and the resource."""
SERVICES = frozenset(
    {
        *("cloudformation", "dynamodb", "ecr", "ecs", "elasticloadbalancing", "iam", "logs", "rds"),
        *("s3", "secretsmanager", "servicediscovery", "sns", "sqs", "ssm", "states"),
    }
)
"""Services whose API can be called."""
MINUTE_SECONDS = 2.0
"""The duration of a minute of a deployment strategy or of an alarm."""
_RESOURCES = {
    "CloudWatch": ("Alarm", "Dashboard"),
    "DynamoDB": ("Table",),
    "EC2": (
        *("InternetGateway", "Route", "RouteTable", "SecurityGroup", "Subnet", "VPC"),
        *("SubnetRouteTableAssociation", "VPCEndpoint", "VPCGatewayAttachment"),
    ),
    "ECS": ("Cluster", "Service", "TaskDefinition"),
    "ElasticLoadBalancingV2": ("Listener", "ListenerRule", "LoadBalancer", "TargetGroup"),
    "IAM": ("Policy", "Role"),
    "KMS": ("Key",),
    "Logs": ("LogGroup", "MetricFilter"),
    "RDS": ("DBInstance", "DBParameterGroup", "DBSubnetGroup"),
    "S3": ("Bucket", "BucketPolicy"),
    "SNS": ("Subscription", "Topic", "TopicPolicy"),
    "SQS": ("Queue", "QueuePolicy"),
    "SecretsManager": ("Secret", "SecretTargetAttachment"),
    "ServiceDiscovery": ("HttpNamespace",),
    "StepFunctions": ("StateMachine",),
}
RESOURCE_TYPES = frozenset(
    f"AWS::{service}::{name}" for service, names in _RESOURCES.items() for name in names
)
"""Resources that a template may have: those of the templates in `infra/cdk`."""
