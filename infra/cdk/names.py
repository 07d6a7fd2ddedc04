"""Names that are the same everywhere: in the templates, the settings, and for whoever looks."""

from infra.cdk.options import DeploymentOptions


def stack(options: DeploymentOptions, what: str) -> str:
    """Name a stack: `forum-network`, `forum-posts`."""
    return f"{options.name}-{what}"


def cluster(options: DeploymentOptions) -> str:
    """Name the ECS cluster."""
    return options.name


def service(program: str) -> str:
    """Name an ECS service: the component, or its worker."""
    return program


def family(options: DeploymentOptions, program: str) -> str:
    """Name the family of a program's task definitions."""
    return f"{options.name}-{program}"


def log_group(options: DeploymentOptions, program: str) -> str:
    """Name a program's log group."""
    return f"/{options.name}/{program}"


def shared_secret(options: DeploymentOptions) -> str:
    """Name the secret that all components read: `secret_key` and `session_public_keys`."""
    return f"{options.name}/shared"


def signing_secret(options: DeploymentOptions) -> str:
    """Name the secret that only the owner of the users reads: `session_private_key`."""
    return f"{options.name}/signing"


def database_secret(options: DeploymentOptions) -> str:
    """Name the secret with the database's `username` and `password`."""
    return f"{options.name}/database"


def target_group(options: DeploymentOptions, component: str, colour: str = "") -> str:
    """Name a target group: `forum-posts`, and `forum-posts-green` for its other one."""
    return f"{options.name}-{component}" + (f"-{colour}" if colour else "")


def metrics(options: DeploymentOptions) -> str:
    """Name the namespace of the forum's own metrics."""
    return options.name.capitalize()
