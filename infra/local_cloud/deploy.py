"""Deploy the templates on this machine: `make deploy-local`.

It needs a container engine and no AWS account. The steps are those of docs/deploy.md on AWS.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from infra import local_environment, stages
from infra.cdk import migrate, names, session_keys
from infra.cdk import options as choices
from infra.cdk.app import DATA, EDGE, NETWORK, WATCH
from infra.cdk.components import MIGRATION
from infra.cdk.migrate import MigrationError
from infra.cdk.options import DeploymentOptions, OptionsError
from infra.cdk.synth import synthesise
from infra.cdk.validate import Validator
from infra.demo.load import DemoError
from infra.local_cloud import containers, demo, images
from infra.local_cloud import target as places
from infra.local_cloud.stacks import StackError, Stacks
from infra.local_cloud.status import running_deployments
from infra.local_cloud.target import DeploymentTarget, EngineError
from infra.local_cloud.template_filter import REASONS, Template, remove_unsupported
from infra.runner.config import SettingsError, read_switch
from infra.runner.port_check import describe_conflict

Say = Callable[[str], None]
_VARIABLES = ("EXTRACTED", "MOVER", "MOVING", "REVISION", "STRATEGY")
_SOCKET_NOTICE = (
    "The emulator controls the container engine by its socket, so it is as powerful as you are on"
    " this machine (docs/deploy.md)."
)


def main() -> int:
    """Deploy the forum; return the exit code."""
    try:
        place = places.read_target(os.environ)
        options = _options(os.environ)
        with_demo = read_switch(os.environ, "DEMO", default="on")
        address = deploy(place, options, say=_say)
        hint = demo.load_missing(place, options, say=_say) if with_demo else ""
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. Run this again to go on, or make destroy-local.\n")
        return 130
    except (
        *(ValueError, SettingsError, OptionsError, EngineError),
        *(StackError, MigrationError, DemoError),
    ) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(f"\nThe forum is at {address}")
    if hint:
        print(hint)
    print("To see what runs, run make status.")
    print("To change the stage, deploy again with another EXTRACTED.")
    print("To remove everything, run make destroy-local.")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def deploy(
    place: DeploymentTarget,
    options: DeploymentOptions,
    *,
    say: Say,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Deploy a stage; return the forum's address.

    `environment` is added to the environment in the containers' definitions.

    Raises:
        EngineError: there is no container engine, the port can't be used, or an image can't be
            built.
        StackError: a stack failed, and was rolled back.
        MigrationError: the schema could not be migrated.
    """
    began = time.monotonic()
    _check_port(place)
    with tempfile.TemporaryDirectory() as folder:
        assembly = Path(folder)
        templates = _templates(options, assembly)
        wanted = {names.stack(options, name) for name in (MIGRATION, *options.components)}
        say(f"{len(templates)} templates")
        say(_SOCKET_NOTICE)
        _build_images(assembly, wanted, say)
        containers.start_emulator(place, environment or {})
        with validating(place, options, say):
            Rollout(place, options, templates, say).run()
    say(f"deployed in {time.monotonic() - began:.0f} s")
    return place.address


@contextmanager
def validating(place: DeploymentTarget, options: DeploymentOptions, say: Say) -> Iterator[None]:
    """Validate new revisions of blue-green deployments until the end of the block.

    Also at another strategy: an update that fails may return to blue-green.
    """
    stop = threading.Event()
    validator = Validator(place.client, options, lambda: place.address, say)
    thread = threading.Thread(target=validator.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _check_port(place: DeploymentTarget) -> None:
    """Raise EngineError if another program has the port, or this deployment has another one."""
    port = {each.project: each.port for each in running_deployments()}.get(place.project)
    if port is None:
        if reason := describe_conflict(place.port):
            msg = (
                f"port {place.port} {reason}; choose another, as in"
                f" `make deploy-local PORT={place.port + 1000}`"
            )
            raise EngineError(msg)
    elif port != place.port:
        msg = (
            f"{place.project} runs at port {port}: deploy with PORT={port}, run"
            f" `make destroy-local PORT={port}` first, or choose another PROJECT"
        )
        raise EngineError(msg)


def _build_images(assembly: Path, wanted: set[str], say: Say) -> None:
    """Build what is missing, and say so image by image: the first time takes minutes."""
    say("  image of the emulator ...")
    images.build_emulator()
    for asset in images.assets(assembly, sorted(wanted)):
        if images.exists(asset.name):
            say(f"  image of {asset.stack}: unchanged")
            continue
        say(f"  image of {asset.stack} ...")
        asset.build()


class Rollout:
    """One deployment, stack by stack, so that each path has an owner at any moment."""

    def __init__(
        self,
        place: DeploymentTarget,
        options: DeploymentOptions,
        templates: Mapping[str, Template],
        say: Say,
    ) -> None:
        self._place, self._options, self._say = place, options, say
        self._templates = templates
        self._stacks = Stacks(place)
        self._left_out: dict[str, int] = {}

    def run(self) -> None:
        """Create new stacks, then switch, then remove obsolete stacks.

        A new service is healthy before its paths are routed to it, and only then the monolith
        gives them up. For a step back, the monolith takes them over again first.
        """
        options = self._options
        self._stacks.bootstrap()
        there = self._stacks.created()
        before = {d for d in stages.DOMAINS if names.stack(options, d) in there}
        over = [names.stack(options, each) for each in sorted(before.difference(options.services))]
        self._deploy(NETWORK)
        if over:
            # A running service keeps its tables until it is removed.
            self._deploy(DATA, _data_of(options, before))
        else:
            self._deploy(DATA)
        if session_keys.fill_secrets(self._place.client("secretsmanager"), options):
            self._say("  keys created")
        containers.start_database(self._place, options)
        self._deploy(MIGRATION)
        self._migrate()
        self._deploy(EDGE)
        new = [name for name in options.services if name not in before]
        known = [name for name in options.services if name in before]
        # As on AWS, a caller comes after what it calls.
        for name in (*new, stages.MONOLITH, *known) if over else (*new, *known, stages.MONOLITH):
            self._deploy(name)
        self._deploy(WATCH)
        if over:
            self._stacks.delete(over)
            self._say(f"  {', '.join(over)}: deleted")
            self._deploy(DATA)
        for kind, count in sorted(self._left_out.items()):
            self._say(f"  left out: {count} {kind} ({REASONS[kind]})")

    def _migrate(self) -> None:
        began = time.monotonic()
        migrate.run(self._place.client, self._options)
        self._say(f"  schema migrated: {time.monotonic() - began:.1f} s")

    def _deploy(self, what: str, template: Template | None = None) -> None:
        name = names.stack(self._options, what)
        began = time.monotonic()
        made, gone = remove_unsupported(template or self._templates[name])
        for kind in gone.values():
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
        changed = self._stacks.deploy(name, made)
        result = f"{time.monotonic() - began:.1f} s" if changed else "unchanged"
        self._say(f"  {name}: {result}")


def _templates(options: DeploymentOptions, folder: Path) -> dict[str, Template]:
    return {stack.stack_name: stack.template for stack in synthesise(options, folder).stacks}


def _data_of(options: DeploymentOptions, domains: set[str]) -> Template:
    """Return the data template for more domains than finally have a service."""
    more = replace(options, extracted=options.extracted | domains)
    with tempfile.TemporaryDirectory() as folder:
        return _templates(more, Path(folder))[names.stack(options, DATA)]


def _options(environ: Mapping[str, str]) -> DeploymentOptions:
    return choices.read_options(
        {name.lower(): environ[name] for name in _VARIABLES if name in environ}
    )


if __name__ == "__main__":
    local_environment.isolate()
    sys.exit(main())
