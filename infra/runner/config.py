"""Configuration of a local run, from its environment, and the derived folders."""

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from infra import domains, stages
from infra.current_stage import (
    CurrentStage,
    DamagedStageError,
    read_current_stage,
    write_current_stage,
)

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
GATEWAY, DATASTORE, BUS = "gateway", "dynamodb", "bus"
BUS_RECOVERY = "bus-recovery"
# The variable of each server's port, and the default.
PORTS = {
    GATEWAY: ("PORT", 8080),
    stages.MONOLITH: ("MONOLITH_PORT", 8100),
    **{name: (f"{name.upper()}_PORT", one.port) for name, one in domains.SERVICES.items()},
    DATASTORE: ("DYNAMODB_PORT", 6669),
    BUS: ("BUS_PORT", 4566),
}
# Unprivileged ports to which all browsers refuse to connect, whatever the page, the host's name or
# the kind of request: "port blocking" in https://fetch.spec.whatwg.org/#port-blocking.
BLOCKED_BY_BROWSERS = frozenset({5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6697, 10080})
_SWITCH = {"on": True, "off": False}
# Quotes, percent signs and comments are special in supervisord's configuration, and a question mark
# ends the path in a database URL.
_UNSUPPORTED_IN_PATHS = re.compile(r"[\"'?%\n]| [;#]")


class SettingsError(Exception):
    """The environment is invalid; the message has one line per problem."""


BACKUPS = "backups"
"""The folder of backups, in that of all data."""
LABS = "labs"
"""The folder of the labs: a person's work, and their progress."""
SQLITE_FILE, DYNAMODB_FILE = "forum.sqlite", "dynamodb.sqlite"
"""The data of the monolith and of the services, in the folder of their stage."""


@dataclass(frozen=True)
class RunConfig:
    """One local run: its stage, ports and folder.

    `extracted` are the domains that services own, `moving` those that are being moved, whose
    services run too. `initial_stage` is the stage at which the data was created, if different.

    With `restart`, a process that dies is restarted; otherwise it stops the run. Tests may put a
    proxy between processes: callers use the ports in `proxied_ports`, and the gateway knows a
    second instance of a component at its port in `extra_instances`.
    """

    extracted: frozenset[str]
    ports: Mapping[str, int]
    var: Path
    demo: bool = True
    restart: bool = False
    proxied_ports: Mapping[str, int] = field(default_factory=dict)
    extra_instances: Mapping[str, int] = field(default_factory=dict)
    moving: frozenset[str] = frozenset()
    initial_stage: frozenset[str] | None = None

    @property
    def services(self) -> tuple[str, ...]:
        """The services that run at this stage."""
        return stages.in_canonical_order(self.extracted | self.moving)

    @property
    def components(self) -> tuple[str, ...]:
        """The components at this stage, the monolith first."""
        return (stages.MONOLITH, *self.services)

    @property
    def datastores(self) -> tuple[str, ...]:
        """The services' datastore and bus; the monolith alone needs neither."""
        return (DATASTORE, BUS) if self.services else ()

    @property
    def servers(self) -> tuple[str, ...]:
        """All servers of this stage."""
        return (GATEWAY, *self.components, *self.datastores)

    @property
    def workers(self) -> tuple[str, ...]:
        """The workers, one per component; none while nothing is extracted."""
        return tuple(map(worker_name, self.components)) if self.services else ()

    @property
    def processes(self) -> tuple[str, ...]:
        """The names of all processes of this stage."""
        return (*self.servers, *self.workers, *((BUS_RECOVERY,) if self.services else ()))

    @property
    def data_stage(self) -> frozenset[str]:
        """The stage that the data began with."""
        return self.extracted if self.initial_stage is None else self.initial_stage

    @property
    def folder(self) -> Path:
        """The folder of the data, named after its initial stage."""
        return stage_folder(self.var, self.data_stage)

    @property
    def stage_file(self) -> Path:
        """The file with the current stage, if domains were moved."""
        return self.folder / "stage.json"

    @property
    def log_folder(self) -> Path:
        """The folder of the programs' log files."""
        return self.folder / "log"

    @property
    def run_folder(self) -> Path:
        """The folder of files that are rendered again at each start."""
        return self.folder / "run"

    @property
    def secrets_folder(self) -> Path:
        """The folder of the keys, with the data whose people they sign in."""
        return self.folder / "secrets"

    def owner(self, domain: str) -> str:
        """Return the component that serves a domain at this stage."""
        return domain if domain in self.extracted else stages.MONOLITH

    def url(self, part: str) -> str:
        """Return the URL of a process."""
        return f"http://{HOST}:{self.ports[part]}"

    def internal_url(self, part: str) -> str:
        """Return the URL of a process for other processes."""
        return f"http://{HOST}:{self.proxied_ports.get(part, self.ports[part])}"


def worker_name(component: str) -> str:
    """Return the name of a component's worker."""
    return f"{component}-worker"


def var_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of all files of a run."""
    return Path(environ.get("VAR_DIR") or ROOT / "var").absolute()


def stage_folder(var: Path, data_stage: frozenset[str]) -> Path:
    """Return the folder of the data that began at a stage."""
    return var / "stages" / stages.stage_name(data_stage)


def read_switch(environ: Mapping[str, str], name: str, *, default: str) -> bool:
    """Read a variable that is `on` or `off`; raise a SettingsError for anything else."""
    value = environ.get(name) or default
    if value not in _SWITCH:
        msg = f"{name} must be on or off, not {value!r}"
        raise SettingsError(msg)
    return _SWITCH[value]


def read_config(environ: Mapping[str, str]) -> RunConfig:
    """Read the environment; raise a SettingsError that lists every problem."""
    problems = []
    extracted: frozenset[str] = frozenset()
    try:
        extracted = stages.parse(environ.get("EXTRACTED", stages.as_setting(stages.DOMAINS)))
    except stages.UnknownDomainError as error:
        problems.append(str(error))
    ports: dict[str, int] = {}
    for part, (variable, default) in PORTS.items():
        text = environ.get(variable) or str(default)
        if text.isdecimal() and 0 < int(text) < 2**16:
            ports[part] = int(text)
        else:
            problems.append(f"{variable} must be a port from 1 to 65535, not {text!r}")
    # Dynoxide lets every page read and write, and has no setting against that.
    if ports.get(DATASTORE) not in BLOCKED_BY_BROWSERS | {None} and not environ.get("OPEN_PORTS"):
        allowed = ", ".join(map(str, sorted(BLOCKED_BY_BROWSERS)))
        problems.append(
            f"DYNAMODB_PORT must be a port that no web page can reach, not {ports[DATASTORE]}:"
            f" one of {allowed}"
        )
    var = var_folder(environ)
    if odd := _UNSUPPORTED_IN_PATHS.search(str(var)):
        problems.append(f"VAR_DIR must not contain {odd[0]!r}: {var}")
    switches = {}
    for name, value in (("DEMO", "on"), ("RESTART", "off")):
        try:
            switches[name] = read_switch(environ, name, default=value)
        except SettingsError as error:
            problems.append(str(error))
    proxied_ports = _parse_ports(environ, "PROXY_PORTS", problems)
    extra_instances = _parse_ports(environ, "EXTRA_INSTANCES", problems)
    if problems:
        raise SettingsError("\n".join(problems))
    config = RunConfig(
        extracted,
        ports,
        var,
        demo=switches["DEMO"],
        restart=switches["RESTART"],
        proxied_ports=proxied_ports,
        extra_instances=extra_instances,
    )
    _check_distinct_ports(config)
    return with_current_stage(config)


def with_current_stage(config: RunConfig) -> RunConfig:
    """Return the configuration at the current stage: domains may have moved.

    Raises:
        SettingsError: the stage file is damaged, and there is no database to restore it from.
    """
    try:
        current = read_current_stage(config.stage_file)
    except DamagedStageError as error:
        current = _restore_stage(config, error)
    if current is None:
        return config
    return replace(
        config,
        initial_stage=config.data_stage,
        extracted=current.extracted,
        moving=current.moving,
    )


def _restore_stage(config: RunConfig, damaged: DamagedStageError) -> CurrentStage:
    """Write a stage file again; the monolith's database has the owner of each moved domain."""
    file = config.folder / SQLITE_FILE
    try:
        # Not read-only: after a power loss, SQLite may have to recover first.
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True)) as database:
            rows = database.execute("SELECT domain, owner, state FROM domains").fetchall()
    except sqlite3.Error as error:
        msg = f"{damaged}, and {file} cannot be read ({error}); restore a backup"
        raise SettingsError(msg) from damaged
    extracted, moving = set(config.data_stage), set[str]()
    for domain, owner, state in rows:
        (extracted.add if owner == domain else extracted.discard)(domain)
        if state != "settled":
            moving.add(domain)
    stage = CurrentStage(frozenset(extracted), frozenset(moving))
    write_current_stage(stage, config.stage_file)
    return stage


def save_stage(config: RunConfig) -> None:
    """Record the current stage of a run."""
    write_current_stage(CurrentStage(config.extracted, config.moving), config.stage_file)


def _parse_ports(environ: Mapping[str, str], variable: str, problems: list[str]) -> dict[str, int]:
    """Parse ports of processes: `users=9001,dynamodb=9002`."""
    ports = {}
    text = environ.get(variable, "")
    for entry in filter(None, text.split(",")):
        part, _, port = entry.partition("=")
        if part in PORTS and port.isdecimal():
            ports[part] = int(port)
        else:
            problems.append(
                f"{variable} must be a list such as users=9001,posts=9002, not {text!r}"
            )
    return ports


def _check_distinct_ports(config: RunConfig) -> None:
    seen: dict[int, str] = {}
    for part in config.servers:
        variable = PORTS[part][0]
        other = seen.setdefault(config.ports[part], variable)
        if other != variable:
            msg = f"{other} and {variable} are both {config.ports[part]}; choose different ports"
            raise SettingsError(msg)
