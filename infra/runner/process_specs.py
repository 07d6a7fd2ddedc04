"""The programs of a stage: their command lines and environments."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra import local_environment, ministack, session_keys, stages
from infra.domains import package, peers
from infra.gateway import process
from infra.runner.config import (
    BUS,
    BUS_RECOVERY,
    DATASTORE,
    DYNAMODB_FILE,
    GATEWAY,
    HOST,
    ROOT,
    SQLITE_FILE,
    RunConfig,
    worker_name,
)

MIGRATE, PROVISION, DEMO = "migrate", "provision", "demo"

# In the order of stopping. The seconds are how long a process may take before it is killed;
# their sum over all groups stays below the 15 s of a stop.
GROUPS = {"setup": 1, "gateway": 1, "components": 6, "workers": 3, "datastores": 3}
# Seconds for a component's requests in progress; it also needs time to exit.
GRACEFUL_SECONDS = GROUPS["components"] - 2

# Variables that a component inherits from the caller's environment. No others reach it: a
# DATABASE_URL or an AWS_PROFILE of another project must not.
_INHERITED_VARIABLES = (
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"),
    *("WEB_CONCURRENCY", "WORKER_THREADS", "REVISION", "DRAIN_SECONDS", "SPLIT_BADGE"),
    *("SIGN_IN_LIMIT_PER_NAME", "SIGN_IN_LIMIT_PER_ADDRESS", "SIGN_IN_WINDOW_SECONDS"),
)
# The code of this checkout, also where that of another one is installed, as in a git worktree.
_CODE = os.pathsep.join(
    str(ROOT / folder)
    for folder in ("chassis", "monolith", *(f"services/{domain}" for domain in stages.DOMAINS))
)


@dataclass(frozen=True)
class ProcessSpec:
    """A program of the runner; with `restarted`, it is restarted if it dies."""

    name: str
    group: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = ROOT
    restarted: bool = False


def all_specs(config: RunConfig, dynoxide: Path) -> tuple[ProcessSpec, ...]:
    """Return every program of the forum, including those of other stages.

    Domains can move while the forum runs, which starts their services. `dynoxide` is the path of
    the datastore's binary.
    """
    return (
        ProcessSpec(
            GATEWAY,
            "gateway",
            tuple(process.command(gateway_file(config))),
            folder=config.run_folder,
            restarted=config.restart,
        ),
        *(_component(config, component) for component in stages.COMPONENTS),
        *(_worker(config, component) for component in stages.COMPONENTS),
        _bus_recovery(config),
        *_datastores(config, dynoxide),
        _python(
            MIGRATE,
            *("-m", "forum", "migrate"),
            environment=component_environment(config, stages.MONOLITH),
        ),
        _python(
            PROVISION, "-m", "infra.provisioning", environment=provisioning_environment(config)
        ),
        _python(DEMO, "-m", "infra.demo.load", "--url", config.url(GATEWAY)),
    )


def gateway_file(config: RunConfig) -> Path:
    """Return the path of the gateway's rendered configuration."""
    return config.run_folder / "envoy.json"


def routes_file(config: RunConfig) -> Path:
    """Return the path of the gateway's routes, which it reads again after each change."""
    return config.run_folder / "routes" / "routes.json"


def provisioning_environment(config: RunConfig) -> dict[str, str]:
    """Return the environment of provisioning: the datastores' addresses and the services."""
    services = {"SERVICES": ",".join(config.services), "STAGE_FILE": str(config.stage_file)}
    return _aws(config) | _dynamodb(config) | services


def base_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of every program."""
    passed = {name: environ[name] for name in _INHERITED_VARIABLES if name in environ}
    # No drain time, because no load balancer has to notice a stop. And the badges show the split.
    own = {"DRAIN_SECONDS": "0", "SPLIT_BADGE": "on", **passed, "PYTHONUNBUFFERED": "1"}
    own["PYTHONPATH"] = _CODE
    # UTF-8, so that names of folders work under any LC_ALL.
    return {**own, "PYTHONUTF8": "1", **local_environment.DIRECT}


def component_environment(config: RunConfig, component: str) -> dict[str, str]:
    """Return the settings of a component, apart from `base_environment`."""
    given = {
        "SECRETS_DIR": str(session_keys.component_folder(config, component)),
        "LIVE_EXTRACTION": "true",
    }
    given |= _aws(config) | ministack.bus_environment(config, component)
    if component == stages.MONOLITH:
        given["DATABASE_URL"] = f"sqlite:///{config.folder / SQLITE_FILE}"
        given["EXTRACTED"] = stages.as_setting(config.extracted)
        given |= {f"{domain.upper()}_URL": config.internal_url(domain) for domain in stages.DOMAINS}
    else:
        given |= _dynamodb(config) | {"GATEWAY_URL": config.url(GATEWAY)}
        given |= {f"{peer.upper()}_URL": _domain_url(config, peer) for peer in peers(component)}
    if component == config.owner("users"):
        given["REPLICA_HOLDERS"] = ",".join(each for each in config.components if each != component)
    return given


def _domain_url(config: RunConfig, domain: str) -> str:
    """Return the URL of a domain for services, independent of its owner."""
    owner = config.owner(domain)
    return config.internal_url(owner) if owner in config.proxied_ports else config.url(GATEWAY)


def _component(config: RunConfig, name: str) -> ProcessSpec:
    address = f"{HOST}:{config.ports[name]}"
    options = ("-c", "python:chassis.http.gunicorn_conf", "--bind", address)
    bounds = ("--graceful-timeout", str(GRACEFUL_SECONDS))
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    command = (gunicorn, *options, *bounds, f"{package(name)}.wsgi:app")
    environment = component_environment(config, name)
    return ProcessSpec(name, "components", command, environment, config.run_folder, config.restart)


def _worker(config: RunConfig, component: str) -> ProcessSpec:
    command = (sys.executable, "-m", package(component), "worker")
    environment = component_environment(config, component)
    return ProcessSpec(
        worker_name(component), "workers", command, environment, config.run_folder, config.restart
    )


def _datastores(config: RunConfig, dynoxide: Path) -> list[ProcessSpec]:
    port, file = str(config.ports[DATASTORE]), str(config.folder / DYNAMODB_FILE)
    serve = (str(dynoxide), "serve", "--host", HOST, "--port", port, "--db-path", file)
    settings = ministack.ministack_environment(config)
    return [
        ProcessSpec(DATASTORE, "datastores", serve, {}, config.run_folder, config.restart),
        ProcessSpec(BUS, "datastores", ministack.command(), settings, restarted=config.restart),
    ]


def _bus_recovery(config: RunConfig) -> ProcessSpec:
    environment = provisioning_environment(config) | {
        "DATABASE_URL": component_environment(config, stages.MONOLITH)["DATABASE_URL"],
        "CHECKPOINT_FILE": str(config.folder / "bus-checkpoint"),
    }
    command = (sys.executable, "-m", "infra.bus_recovery")
    return ProcessSpec(BUS_RECOVERY, "workers", command, environment, restarted=config.restart)


def _python(
    name: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> ProcessSpec:
    return ProcessSpec(name, "setup", (sys.executable, *arguments), environment or {})


def _dynamodb(config: RunConfig) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL_DYNAMODB": config.internal_url(DATASTORE)}


def _aws(config: RunConfig) -> dict[str, str]:
    return {**local_environment.AWS, "AWS_ENDPOINT_URL": config.internal_url(BUS)}
