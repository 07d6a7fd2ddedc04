"""The programs of a stage: their command lines, and the environment each one gets."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from chassis.clock import stamp
from infra import ministack, session_keys, stages
from infra.gateway import process
from infra.runner.config import BUS, DATASTORE, GATEWAY, HOST, ROOT, Local, worker

PACKAGES = {stages.MONOLITH: "forum", "users": "users", "threads": "threads", "posts": "posts"}
PEERS = {"threads": ("posts",), "posts": ("threads",)}
MIGRATE, PROVISION, DEMO = "migrate", "provision", "demo"

# What stops first stands first. The seconds are how long a part may take before it is killed;
# with one group after another they stay below the 15 s that a stop may take.
GROUPS = {"setup": 1, "gateway": 1, "components": 6, "workers": 3, "datastores": 3}
# So long a component finishes what it has in hand; then it still has to end.
GRACEFUL_SECONDS = GROUPS["components"] - 2

# What a component may be told from outside. Nothing else of the caller's environment reaches it:
# a DATABASE_URL or an AWS_PROFILE of another project must not.
_PASSED_ON = (
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"),
    *("WEB_CONCURRENCY", "WORKER_THREADS", "REVISION", "DRAIN_SECONDS", "SPLIT_BADGE"),
    *("SIGN_IN_LIMIT_PER_NAME", "SIGN_IN_LIMIT_PER_ADDRESS", "SIGN_IN_WINDOW_SECONDS"),
)


@dataclass(frozen=True)
class Program:
    """Something that the process runner starts and stops; `kept` is started again if it dies."""

    name: str
    group: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = ROOT
    kept: bool = False


def of(local: Local, dynoxide: Path, lost_since: datetime | None = None) -> tuple[Program, ...]:
    """Give every program of the forum, those too that only another stage needs.

    Domains can move while the forum runs, and their services then start. `dynoxide` is the
    datastore's binary; `lost_since` tells since when events have to be published again, if so.
    """
    components = (stages.MONOLITH, *stages.DOMAINS)
    programs = [
        Program(
            GATEWAY,
            "gateway",
            tuple(process.command(gateway_file(local))),
            folder=local.run,
            kept=local.restart,
        ),
        *(_component(local, component) for component in components),
        *(_worker(local, component) for component in components),
        *_datastores(local, dynoxide),
        _python(MIGRATE, "-m", "forum.migrate", environment=environment(local, stages.MONOLITH)),
        _python(PROVISION, "-m", "infra.provisioning", environment=provisioning(local)),
        _python(DEMO, "-m", "infra.demo.load", "--url", local.url(GATEWAY)),
    ]
    if lost_since is not None:
        programs += [_replay(local, component, lost_since) for component in local.components]
    return tuple(programs)


def gateway_file(local: Local) -> Path:
    """Name the gateway's rendered configuration."""
    return local.run / "envoy.json"


def routes_file(local: Local) -> Path:
    """Name the gateway's routes, which it takes anew whenever they change."""
    return local.run / "routes" / "routes.json"


def provisioning(local: Local) -> dict[str, str]:
    """Give what provisioning needs: where the datastores are, and for whom."""
    services = {"SERVICES": ",".join(local.services), "STAGE_FILE": str(local.stage_file)}
    return _aws(local) | _dynamodb(local) | services


def base_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Give what every program gets."""
    passed = {name: environ[name] for name in _PASSED_ON if name in environ}
    # No load balancer here has to notice first that a component is about to stop. And who takes a
    # forum apart wants to see it.
    return {"DRAIN_SECONDS": "0", "SPLIT_BADGE": "on"} | passed | {"PYTHONUNBUFFERED": "1"}


def environment(local: Local, component: str) -> dict[str, str]:
    """Give the settings of a component, apart from `base_environment`."""
    given = {"SECRETS_DIR": str(session_keys.folder_of(local, component)), "MOVABLE": "true"}
    given |= _aws(local) | ministack.addresses(local, component)
    if component == stages.MONOLITH:
        given["DATABASE_URL"] = f"sqlite:///{local.folder / 'forum.sqlite'}"
        given["EXTRACTED"] = stages.as_setting(local.extracted)
        given |= {f"{domain.upper()}_URL": local.way(domain) for domain in stages.DOMAINS}
    else:
        given |= _dynamodb(local) | {"GATEWAY_URL": local.url(GATEWAY)}
        given |= {f"{peer.upper()}_URL": _way(local, peer) for peer in PEERS.get(component, ())}
    if component == local.owner("users"):
        given["KEEPERS"] = ",".join(each for each in local.components if each != component)
    return given


def _way(local: Local, domain: str) -> str:
    """Give the address at which services find a domain, whoever keeps it by then."""
    owner = local.owner(domain)
    return local.way(owner) if owner in local.via else local.url(GATEWAY)


def replay_module(component: str) -> str:
    """Name the module that publishes a component's events once more."""
    return f"{PACKAGES[component]}.replay"


def replay(component: str) -> str:
    """Name the program that publishes a component's events once more."""
    return f"{component}-replay"


def _component(local: Local, name: str) -> Program:
    address = f"{HOST}:{local.ports[name]}"
    options = ("-c", "python:chassis.http.gunicorn_conf", "--bind", address)
    bounds = ("--graceful-timeout", str(GRACEFUL_SECONDS))
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    command = (gunicorn, *options, *bounds, f"{PACKAGES[name]}.wsgi:app")
    told = environment(local, name)
    return Program(name, "components", command, told, local.run, local.restart)


def _worker(local: Local, component: str) -> Program:
    command = (sys.executable, "-m", f"{PACKAGES[component]}.worker")
    told = environment(local, component)
    return Program(worker(component), "workers", command, told, local.run, local.restart)


def _datastores(local: Local, dynoxide: Path) -> list[Program]:
    port, file = str(local.ports[DATASTORE]), str(local.folder / "dynamodb.sqlite")
    serve = (str(dynoxide), "serve", "--host", HOST, "--port", port, "--db-path", file)
    commands = {DATASTORE: serve, BUS: ministack.command()}
    told = {DATASTORE: {}, BUS: ministack.settings(local)}
    return [
        Program(name, "datastores", command, told[name], local.run, local.restart)
        for name, command in commands.items()
    ]


def _replay(local: Local, component: str, since: datetime) -> Program:
    arguments = ("-m", replay_module(component), "since", stamp(since))
    return _python(replay(component), *arguments, environment=environment(local, component))


def _python(name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Program:
    return Program(name, "setup", (sys.executable, *arguments), environment or {})


def _dynamodb(local: Local) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL_DYNAMODB": local.way(DATASTORE)}


def _aws(local: Local) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": local.way(BUS),
        "AWS_DEFAULT_REGION": ministack.REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        # Not the person's own profile, credentials or instance role.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
