"""The mover of a lab's small forum: `python -m labs.mover extract --phases prepare,backfill`.

It is the command line of `extraction`, on a forum that `labs.forum_probe` runs. It writes each call
of `POINTS` into the file in TRACE, and FAULTS stops it there: `write 2 kill` ends the process after
the second write, `freeze 1 pause 0.5` waits before the first freeze. Besides `extract` and
`reintegrate` there are commands for a single part of a move: `hand-over`, `soak` and `status`.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from chassis.ownership.state import OwnershipState, OwnershipStore, State
from extraction import __main__ as command_line
from extraction import copier, extract, reintegrate
from extraction.console import Console
from extraction.deployment.port import exclusive
from extraction.endpoints import Endpoints
from extraction.extraction import FREEZE_SECONDS, Extraction, ExtractionStopped
from extraction.gateway_probe import GatewayProbe
from extraction.status import show_status
from forum.ownership.state import MOVING
from forum.ownership.transitions import OwnershipTransitions
from forum.posts.records import PostRecords as MonolithPosts
from infra import local_environment
from infra.atomic_file import write_atomically
from infra.gateway import process, routes
from infra.stages import MONOLITH
from posts.dynamodb.records import PostRecords as ServicePosts

KILL, PAUSE = "kill", "pause"
HAND_OVER, SOAK, STATUS = "hand-over", "soak", "status"
_ANNOUNCED = extract, "ANNOUNCED_SECONDS"
_FREEZE = extract, "FREEZE_SECONDS"


class SmallDeployment:
    """The deployment port for a forum whose programs run already; its stage is a file."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._folder = Path(environ["FORUM_FOLDER"])
        self._url, self._prefix = environ["DATABASE_URL"], environ["TABLE_PREFIX"]
        self._gateway = GatewayProbe(environ["GATEWAY_URL"])
        self._routes, self._stage = self._folder / "routes.json", self._folder / "stage.json"

    @cached_property
    def endpoints(self) -> Endpoints:
        """The endpoints of the forum's data."""
        return Endpoints(self._url, self._prefix)

    @property
    def extracted(self) -> frozenset[str]:
        """The domains that services own, according to the routes."""
        return frozenset(json.loads(self._stage.read_text(encoding="utf-8")))

    @property
    def moving(self) -> frozenset[str]:
        """No domain, since no service is started for a move."""
        return frozenset()

    def exclusive(self) -> AbstractContextManager[None]:
        """Exclude other moves of this forum during the block."""
        return exclusive(self._folder)

    def start_service(self, domain: str) -> None:
        """Do nothing: it runs."""

    def start_worker(self, domain: str) -> None:
        """Do nothing: there is no bus, so nothing depends on events."""

    def stop_worker(self, domain: str) -> None:
        """Do nothing: there is none."""

    def set_routes(self, extracted: frozenset[str]) -> None:
        """Write new routes, and wait until the gateway uses them."""
        changed, table = extracted ^ self.extracted, routes.load().at(extracted)
        write_atomically(self._stage, json.dumps(sorted(extracted)))
        self._gateway.wait_until_routed(
            extracted, changed, lambda: process.write_routes(table, self._routes)
        )

    def stop_service(self, domain: str) -> None:
        """Do nothing: the check stops it."""

    def keep_service(self, domain: str) -> None:
        """Do nothing: it runs as long as the check."""

    def served_by(self, domains: frozenset[str]) -> Mapping[str, str]:
        """Return the component that serves each domain."""
        return self._gateway.served_by(domains)


_CONSTANTS: tuple[tuple[Any, str, object], ...] = (
    (command_line, "find_deployment", SmallDeployment),
    # Small, so that a move of few posts has many pages and batches, too.
    (copier, "PAGE_SIZE", 100),
    (extract, "CHANGE_BATCH", 20),
    # The requests of a check live for a few seconds at most, so a shorter wait is long enough.
    (reintegrate, "DRAINED_SECONDS", 4.0),
)
POINTS: Mapping[str, tuple[Any, str]] = {
    "read": (MonolithPosts, "read_page"),
    "write": (ServicePosts, "write"),
    "uncopied": (OwnershipTransitions, "uncopied_changes"),
    "mark": (OwnershipTransitions, "mark_copied"),
    "freeze": (OwnershipTransitions, "freeze_writes"),
    "owner": (OwnershipTransitions, "change_owner"),
    "state": (OwnershipStore, "save"),
    "routes": (SmallDeployment, "set_routes"),
    "soak": (Extraction, "soak"),
}


class Trace:
    """A record of the calls of some functions, and the faults in them."""

    def __init__(self, file: Path, faults: str) -> None:
        self._file = file
        self._faults = list(_parse_faults(faults))

    def install(self) -> None:
        """Record the calls from now on."""
        for point, (owner, name) in POINTS.items():
            setattr(owner, name, self._traced(point, getattr(owner, name)))

    def _traced(self, point: str, call: Callable[..., Any]) -> Callable[..., Any]:
        numbers = count(1)

        def traced(*arguments: Any, **options: Any) -> Any:
            number = next(numbers)
            faults = dict(fault for place, fault in self._faults if place == (point, number))
            self._note(point, number, "begins", arguments[1:])
            time.sleep(faults.get(PAUSE, 0.0))
            result = call(*arguments, **options)
            self._note(point, number, "ends", arguments[1:])
            if KILL in faults:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return traced

    def _note(self, point: str, number: int, event: str, arguments: tuple[Any, ...]) -> None:
        after = arguments[0] if point == "read" and arguments else ""
        state = arguments[0].state.name if point == "state" and arguments else ""
        entry = {"point": point, "number": number, "event": event, "after": after, "state": state}
        with self._file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(entry | {"at": time.time()}) + "\n")


def _parse_faults(text: str) -> Iterator[tuple[tuple[str, int], tuple[str, float]]]:
    for fault in filter(None, text.split(",")):
        point, number, action, *seconds = fault.split()
        yield (point, int(number)), (action, float(seconds[0]) if seconds else 0.0)


def main() -> int:
    """Run all phases of a move, or only the given ones; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m labs.mover", description=__doc__)
    commands = ("extract", "reintegrate", HAND_OVER, SOAK, STATUS)
    parser.add_argument("command", choices=commands)
    parser.add_argument("--phases", type=lambda text: text.split(","), default=[])
    parser.add_argument("--freeze", type=float, default=FREEZE_SECONDS)
    given, options = parser.parse_known_args()
    for module, name, value in _CONSTANTS:
        setattr(module, name, value)
    setattr(*_FREEZE, given.freeze)
    if os.environ["GATEWAY_URL"] == local_environment.NOBODY:
        # No process has to notice that a move began.
        setattr(*_ANNOUNCED, 0.0)
    Trace(Path(os.environ["TRACE"]), os.environ.get("FAULTS", "")).install()
    if given.command == HAND_OVER:
        return hand_over(SmallDeployment(), given.freeze)
    if given.command == SOAK:
        return soak(SmallDeployment())
    if given.command == STATUS:
        show_status(SmallDeployment(), Console())
        return 0
    move = [given.command, "posts", *options]
    if not given.phases:
        return command_line.main(move)
    codes = (command_line.main([*move, "--phase", phase]) for phase in given.phases)
    return next(filter(None, codes), 0)


def hand_over(deployment: SmallDeployment, seconds: float) -> int:
    """Change the owner of posts within one freeze; return 1 if it expired.

    A cutover without verification, for a step that comes before it.
    """
    endpoints, domain = deployment.endpoints, "posts"
    service, components = endpoints.ownership(domain), frozenset({MONOLITH, domain})
    endpoints.transitions.freeze_writes(domain, seconds)
    extract.Extract(Extraction(deployment, domain, "extract", Console())).catch_up()
    service.save(OwnershipState(State.OPEN, components=components))
    if not endpoints.transitions.change_owner(domain, domain, MOVING, "soak"):
        service.save(OwnershipState(State.CLOSED, components=components))
        return 1
    deployment.set_routes(frozenset({domain}))
    return 0


def soak(deployment: SmallDeployment) -> int:
    """Soak right after a cutover, and store the progress, as a move does that then ends."""
    move = Extraction(deployment, "posts", "extract", Console(), soak_seconds=1)
    status = move.load_status()
    move.progress, move.phase = status.progress if status else {}, "cutover"
    try:
        move.soak(move.domain, "service")
    except ExtractionStopped as error:
        move.console.say(f"Stopped: {error}")
        return 1
    move.save_progress()
    return 0


if __name__ == "__main__":
    sys.exit(main())
