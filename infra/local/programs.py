"""The programs of a stage: their command lines, and the environment each one gets."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra import gateway, stages
from infra.local import keys
from infra.local.settings import DATASTORE, GATEWAY, HOST, ROOT, Local

PACKAGES = {stages.MONOLITH: "forum", "users": "users", "threads": "threads", "posts": "posts"}
PEERS = {"threads": ("posts",), "posts": ("threads",)}
MIGRATE, PROVISION, DEMO = "migrate", "provision", "demo"

# What stops first stands first. The seconds are how long a part may take before it is killed;
# with one group after another they stay below the 15 s that a stop may take.
GROUPS = {"setup": 1, "gateway": 1, "components": 9, "datastores": 3}

# What a component may be told from outside. Nothing else of the caller's environment reaches it:
# a DATABASE_URL or an AWS_PROFILE of another project must not.
_PASSED_ON = (
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"),
    *("WEB_CONCURRENCY", "WORKER_THREADS", "REVISION"),
    *("SIGN_IN_LIMIT_PER_NAME", "SIGN_IN_LIMIT_PER_ADDRESS", "SIGN_IN_WINDOW_SECONDS"),
)


@dataclass(frozen=True)
class Program:
    """Something that the process runner starts and stops."""

    name: str
    group: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = ROOT


def of(local: Local, dynoxide: Path | None) -> tuple[Program, ...]:
    """Give every program of the stage; `dynoxide` is the datastore's binary, if one is needed."""
    services = stages.ordered(local.extracted)
    programs = [
        Program(
            GATEWAY,
            "gateway",
            tuple(gateway.command(gateway_file(local))),
            folder=local.run,
        ),
        _component(local, stages.MONOLITH),
        *(_component(local, service) for service in services),
        _python(MIGRATE, "-m", "forum.migrate", environment=environment(local, stages.MONOLITH)),
        _python(DEMO, "-m", "infra.local.demo", "--url", local.url(GATEWAY)),
    ]
    if dynoxide is not None:
        port = str(local.ports[DATASTORE])
        file = str(local.folder / "dynamodb.sqlite")
        serve = (str(dynoxide), "serve", "--host", HOST, "--port", port, "--db-path", file)
        programs.append(Program(DATASTORE, "datastores", serve, folder=local.run))
        tables = ("-m", "infra.local.provision", *services)
        programs.append(_python(PROVISION, *tables, environment=_aws(local)))
    return tuple(programs)


def gateway_file(local: Local) -> Path:
    """Name the gateway's rendered configuration."""
    return local.run / "envoy.json"


def base_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Give what every program gets."""
    passed = {name: environ[name] for name in _PASSED_ON if name in environ}
    return passed | {"PYTHONUNBUFFERED": "1"}


def environment(local: Local, component: str) -> dict[str, str]:
    """Give the settings of a component, apart from `base_environment`."""
    given = {"SECRETS_DIR": str(keys.folder_of(local, component))}
    if component == stages.MONOLITH:
        given["DATABASE_URL"] = f"sqlite:///{local.folder / 'forum.sqlite'}"
        given["EXTRACTED"] = stages.as_setting(local.extracted)
        peers = stages.ordered(local.extracted)
    else:
        given |= _aws(local)
        peers = PEERS.get(component, ())
    return given | {f"{peer.upper()}_URL": local.url(local.owner(peer)) for peer in peers}


def _component(local: Local, name: str) -> Program:
    package = PACKAGES[name]
    options = ("-c", "python:chassis.gunicorn_conf", "--bind", f"{HOST}:{local.ports[name]}")
    command = (str(Path(sys.executable).with_name("gunicorn")), *options, f"{package}.wsgi:app")
    return Program(name, "components", command, environment(local, name), folder=local.run)


def _python(name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Program:
    return Program(name, "setup", (sys.executable, *arguments), environment or {})


def _aws(local: Local) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL_DYNAMODB": local.url(DATASTORE),
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        # Not the person's own profile, credentials or instance role.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
