"""Names that templates, settings and operators share, and what becomes of named resources."""

from aws_cdk import Aws, RemovalPolicy

from infra.cdk.options import DeploymentOptions


def stack(options: DeploymentOptions, what: str) -> str:
    """Return a stack's name: `forum-network`, `forum-posts`."""
    return f"{options.name}-{what}"


def cluster(options: DeploymentOptions) -> str:
    """Return the ECS cluster's name."""
    return options.name


def namespace(options: DeploymentOptions) -> str:
    """Return the name of the namespace in which components find each other."""
    return options.name


def service(program: str) -> str:
    """Return an ECS service's name, for a component or its worker."""
    return program


def family(options: DeploymentOptions, program: str) -> str:
    """Return the family of a program's task definitions."""
    return f"{options.name}-{program}"


def role(options: DeploymentOptions, component: str) -> str:
    """Return the name of the role of a component's tasks, unless all have an existing one.

    Roles of all regions share an account.
    """
    return options.role or f"{options.name}-{component}-{Aws.REGION}"


def state_machine(options: DeploymentOptions, domain: str) -> str:
    """Return the name of the state machine that moves a domain, of its topic, and of its log."""
    return f"{options.name}-move-{domain}"


def log_group(options: DeploymentOptions, program: str) -> str:
    """Return the name of a program's log group."""
    return f"/{options.name}/{program}"


def shared_secret(options: DeploymentOptions) -> str:
    """Return the name of the components' common secret: `secret_key` and all public keys."""
    return f"{options.name}/shared"


def signing_secret(options: DeploymentOptions) -> str:
    """Return the name of the secret with the private keys, for the owner of users only."""
    return f"{options.name}/signing"


def public_keys(owner: str) -> str:
    """Return the field of the common secret that verifies the sessions of an owner of users."""
    return f"{owner}_session_public_keys"


def private_key(owner: str) -> str:
    """Return the field of the signing secret that signs the sessions of an owner of users."""
    return f"{owner}_session_private_key"


def database_secret(options: DeploymentOptions) -> str:
    """Return the name of the secret of the database's owner: `username` and `password`."""
    return f"{options.name}/database"


def database_application_secret(options: DeploymentOptions) -> str:
    """Return the name of the secret of the monolith's role in the database: the same fields."""
    return f"{options.name}/database-application"


def capacity_provider(options: DeploymentOptions) -> str:
    """Return the name of the provider of EC2 instances; AWS reserves some names' beginnings."""
    return f"instances-{options.name}"


def task_sets(options: DeploymentOptions) -> str:
    """Return the ARN of all task sets of the cluster, as Service Connect's proxies poll them."""
    arn = f"arn:{Aws.PARTITION}:ecs:{Aws.REGION}:{Aws.ACCOUNT_ID}"
    return f"{arn}:task-set/{cluster(options)}/*"


def target_group(options: DeploymentOptions, component: str, colour: str = "") -> str:
    """Return a target group's name: `forum-posts`, or `forum-posts-green` for the second one."""
    return f"{options.name}-{component}" + (f"-{colour}" if colour else "")


def metrics(options: DeploymentOptions) -> str:
    """Return the namespace of the forum's own metrics."""
    return options.name.capitalize()


def alarm_topic(options: DeploymentOptions) -> str:
    """Return the name of the topic to which all alarms report."""
    return f"{options.name}-alarms"


def removal(options: DeploymentOptions) -> RemovalPolicy:
    """Return the removal policy of resources that production keeps.

    A rolled back creation deletes them nevertheless: they are empty, and their names would be in
    the way of the next attempt.
    """
    if options.production:
        return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
    return RemovalPolicy.DESTROY
