"""Checks of checkov that the templates do not pass, each with the reason."""

from dataclasses import dataclass

from infra.cdk.options import ENVIRONMENTS, LAB

_OWN_KEY = "Encrypted with a key of AWS; a customer's own key costs a dollar a month and every use."
_PLAIN = "A lab has no domain, so no certificate; synthesis refuses production without one."


@dataclass(frozen=True)
class Skip:
    """A check, the resources that do not pass it, the reason, and the environments."""

    check: str
    kind: str
    reason: str
    environments: tuple[str, ...] = ENVIRONMENTS


SKIPS = (
    Skip("CKV_AWS_119", "AWS::DynamoDB::Table", _OWN_KEY),
    Skip("CKV_AWS_149", "AWS::SecretsManager::Secret", _OWN_KEY),
    Skip("CKV_AWS_158", "AWS::Logs::LogGroup", _OWN_KEY),
    Skip(
        "CKV_AWS_26",
        "AWS::SNS::Topic",
        "Events hold what the API shows to everybody, and SNS passes them on over TLS at once.",
    ),
    Skip(
        "CKV_AWS_27",
        "AWS::SQS::Queue",
        "SQS encrypts a new queue with its own key unless the template forbids it.",
    ),
    Skip(
        "CKV_AWS_18",
        "AWS::S3::Bucket",
        "It is the bucket of access logs; its own would be endless.",
    ),
    Skip(
        "CKV_AWS_21",
        "AWS::S3::Bucket",
        "The load balancer writes each log once, and a rule deletes it after a month.",
    ),
    Skip(
        "CKV_AWS_118",
        "AWS::RDS::DBInstance",
        "The alarms watch requests and queues; seconds of the operating system help nowhere here.",
    ),
    Skip(
        "CKV_AWS_161",
        "AWS::RDS::DBInstance",
        "libpq takes a password from a secret; a token would need code in the monolith alone.",
    ),
    Skip(
        "CKV_AWS_111",
        "AWS::IAM::Policy",
        "For agents of EC2 instances and state machines, AWS takes no resource (nag_suppressions).",
    ),
    Skip(
        "CKV_AWS_157",
        "AWS::RDS::DBInstance",
        "A lab does without a second zone, which costs as much again.",
        (LAB,),
    ),
    Skip("CKV_AWS_2", "AWS::ElasticLoadBalancingV2::Listener", _PLAIN, (LAB,)),
    Skip("CKV_AWS_103", "AWS::ElasticLoadBalancingV2::Listener", _PLAIN, (LAB,)),
    Skip(
        "CKV_AWS_260",
        "AWS::EC2::SecurityGroup",
        "The load balancer is public: port 80 is a lab's forum, and in production a redirect.",
    ),
)
