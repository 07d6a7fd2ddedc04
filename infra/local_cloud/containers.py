"""The infrastructure containers: the emulator, and PostgreSQL instead of RDS."""

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath

import trustme

from infra.cdk import components, names
from infra.cdk.constructs.postgres import OWNER
from infra.cdk.options import DeploymentOptions
from infra.local_cloud.emulated import SETTINGS
from infra.local_cloud.target import (
    DATABASE,
    EMULATOR,
    EMULATOR_IMAGE,
    EMULATOR_PORT,
    FOLDER_LABEL,
    LABEL,
    POSTGRES_IMAGE,
    DeploymentTarget,
    EngineError,
    docker,
)
from infra.runner.config import ROOT

SOCKET = "/var/run/docker.sock"
TASKS_ARE_TOLD = "TASK_"
SECONDS = 90.0
# PostgreSQL with TLS only, as on RDS; it wants its key for itself. Images name their entry point
# in different ways.
_START_POSTGRES = """
umask 077
printf '%s' "$TLS_KEY" > /tmp/tls.key
printf '%s' "$TLS_CERTIFICATE" > /tmp/tls.pem
printf 'local all all trust\\nhostssl all all all scram-sha-256\\n' > /tmp/pg_hba.conf
exec "$(command -v docker-entrypoint.sh || command -v entrypoint.sh)" postgres -c ssl=on \\
    -c ssl_key_file=/tmp/tls.key -c ssl_cert_file=/tmp/tls.pem -c hba_file=/tmp/pg_hba.conf
"""


def start_emulator(place: DeploymentTarget, environment: Mapping[str, str]) -> None:
    """Start the emulator unless it runs; it adds `environment` to all tasks."""
    name = place.container(EMULATOR)
    if _runs(name):
        return
    _remove(name)
    for network in (place.network, place.names):
        if network not in docker("network", "ls", "--format", "{{.Name}}").split():
            docker("network", "create", "--label", f"{LABEL}={place.project}", network)
    certificates = PurePath(components.APP, components.CERTIFICATES).parent
    docker(
        *("run", "--detach", "--name", name, "--label", f"{LABEL}={place.project}"),
        *("--label", f"{FOLDER_LABEL}={ROOT}"),
        *("--network", place.network, "--publish", f"127.0.0.1:{place.port}:{EMULATOR_PORT}"),
        # It controls the engine as root of its container, without any other capability.
        *("--user", "0", "--cap-drop", "ALL", "--volume", f"{SOCKET}:{SOCKET}"),
        *("--env", f"TASKS_AUTHORITY={place.authority}:{certificates}:ro"),
        *("--env", f"MINISTACK_HOSTNAME={place.project}", "--env", f"MINISTACK_HOST={EMULATOR}"),
        *(f"--env={name}={value}" for name, value in SETTINGS.items()),
        *(f"--env={TASKS_ARE_TOLD}{name}={value}" for name, value in environment.items()),
        EMULATOR_IMAGE,
    )
    _until(lambda: _health(name) == "healthy", "the emulator answers", name)


def start_database(place: DeploymentTarget, options: DeploymentOptions) -> None:
    """Start PostgreSQL at the address of the template's instance, unless it runs.

    Its certificate comes from an authority of its own, which signs nothing else.
    """
    name = place.container(DATABASE)
    if _runs(name):
        return
    _remove(name)
    description = place.client("rds").describe_db_instances(DBInstanceIdentifier=options.name)
    (instance,) = description["DBInstances"]
    secret = place.client("secretsmanager").get_secret_value(
        SecretId=names.database_secret(options)
    )
    password = json.loads(secret["SecretString"])["password"]
    authority, address = trustme.CA(), instance["Endpoint"]["Address"]
    certificate = authority.issue_cert(address)
    secrets = {
        "POSTGRES_PASSWORD": password,
        "TLS_KEY": certificate.private_key_pem.bytes().decode(),
        "TLS_CERTIFICATE": certificate.cert_chain_pems[0].bytes().decode(),
    }
    if place.authority not in docker("volume", "ls", "--format", "{{.Name}}").split():
        docker("volume", "create", "--label", f"{LABEL}={place.project}", place.authority)
    docker(
        *("create", "--name", name, "--label", f"{LABEL}={place.project}", "--user", "postgres"),
        *("--network", place.network, "--network-alias", address),
        *("--volume", f"{place.authority}:/authority", "--entrypoint", "sh"),
        *("--env", f"POSTGRES_USER={OWNER}", "--env", f"POSTGRES_DB={components.DATABASE}"),
        *("--env", "LANG=C.UTF-8", *(f"--env={variable}" for variable in secrets)),
        *(POSTGRES_IMAGE, "-c", _START_POSTGRES),
        secrets=secrets,
    )
    with tempfile.TemporaryDirectory() as folder:
        # Tasks find it in the volume.
        file = Path(folder, PurePath(components.CERTIFICATES).name)
        file.write_bytes(authority.cert_pem.bytes())
        file.chmod(0o644)
        docker("cp", str(file), f"{name}:/authority/")
    docker("start", name)
    # While it sets itself up, it listens on a socket only.
    ready = ("exec", name, "pg_isready", "-h", "127.0.0.1", "-U", OWNER, "-d", components.DATABASE)
    _until(lambda: _works(*ready), "PostgreSQL answers", name)


def remaining(place: DeploymentTarget) -> list[str]:
    """Return the names of a deployment's containers, networks and volumes."""
    mine = ("--filter", f"label={LABEL}={place.project}")
    owned = ("--filter", f"label=ministack.instance={place.project}:{EMULATOR_PORT}")
    found = [
        f"{kind} {line}"
        for kind, listing, what in (
            ("container", ("ps", "--all"), "{{.Names}}"),
            ("network", ("network", "ls"), "{{.Name}}"),
            ("volume", ("volume", "ls"), "{{.Name}}"),
        )
        for line in docker(*listing, *mine, "--format", what).split()
    ]
    tasks = docker("ps", "--all", *owned, "--format", "{{.Names}}").split()
    return found + [f"container {task}" for task in tasks]


def remove_all(place: DeploymentTarget) -> None:
    """Remove the containers and networks of a deployment, in any state."""
    things = remaining(place)
    for kind in ("container", "network", "volume"):
        for thing in things:
            sort, _, name = thing.partition(" ")
            if sort == kind:
                _remove(name) if kind == "container" else docker(kind, "rm", name)


def tail_log(place: DeploymentTarget, part: str) -> str:
    """Return the last lines of a container's log."""
    try:
        return docker("logs", "--tail", "60", place.container(part))
    except EngineError as error:
        return str(error)


def _runs(name: str) -> bool:
    listed = docker("ps", "--filter", f"name=^{name}$", "--format", "{{.Names}}")
    return name in listed.split()


def _remove(name: str) -> None:
    listed = docker("ps", "--all", "--filter", f"name=^{name}$", "--format", "{{.Names}}")
    if name in listed.split():
        docker("rm", "--force", "--volumes", name)


def _health(name: str) -> str:
    return docker("inspect", "--format", "{{.State.Health.Status}}", name).strip()


def _works(*arguments: str) -> bool:
    try:
        docker(*arguments)
    except EngineError:
        return False
    return True


def _until(done: Callable[[], bool], what: str, name: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        if time.monotonic() > deadline:
            msg = f"waited {SECONDS:g} s until {what}:\n{docker('logs', '--tail', '60', name)}"
            raise EngineError(msg)
        time.sleep(0.2)
