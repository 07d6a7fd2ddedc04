"""Moves on the offline deployment while people write: out to the services and back, with kills.

All programs run with the permissions of their roles. What these permit is needed, as all tasks and
moves of this module show together, and everything else is denied.
"""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Thread

import pytest
import requests
from botocore.exceptions import ClientError

from infra import stages
from infra.cdk.components import mover
from infra.cdk.options import STATE_MACHINE, TASK
from infra.cdk.validate import CHECKS, validate
from infra.local_cloud.target import EngineError, docker
from infra.runner.config import ROOT, worker_name
from tests.deploy import roles as permissions
from tests.deploy.deployed import Deployed
from tests.deploy.roles import Roles
from tests.deploy.watching import Readers
from tests.extraction.forum import is_announced
from tests.extraction.people import Crowd
from tests.faults.client import Exchange
from tests.faults.conftest import GENEROUS
from tests.faults.ledger import Ledger
from tests.faults.truth import Truth, settle

ALL, NONE = frozenset(stages.DOMAINS), frozenset[str]()
PEOPLE, THINK_SECONDS = 16, 1.0
# What components answer without data: while tasks start, the emulator's DynamoDB may take longer
# than a component waits for it, which is no matter of deployments.
DATA_FREE = ("/sign-in", *(f"/api/{domain}/openapi.json" for domain in stages.DOMAINS))
MOVE_SECONDS, SETTLE_SECONDS = 240.0, 90.0
# As in a terminal, also where a shell in the background has these tests ignore Ctrl-C.
COMMAND = """
import signal, sys
from extraction.__main__ import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
"""
# The fence of each write on the way back, in the same transaction.
ONLY_WHILE_MOVING = {(program, "dynamodb:ConditionCheckItem") for program in ("users", "posts")}
# What a mover does, whatever people do meanwhile.
ALWAYS = {
    *("ecs:DescribeTasks", "ecs:ListTasks", "ecs:UpdateService"),
    *("elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTargetHealth"),
    *("elasticloadbalancing:ModifyRule", "dynamodb:BatchGetItem", "dynamodb:PutItem"),
    "dynamodb:Scan",
}
FROZEN = re.compile(r"writes were frozen for ([0-9.]+) s")


class MovedForum:
    """A deployment whose domains move, and people who write in it."""

    def __init__(self, deployed: Deployed) -> None:
        self.deployed = deployed
        self.seed = int(os.environ.get("SEED") or random.SystemRandom().getrandbits(32))
        self.chance = random.Random(self.seed)
        self.ledger = Ledger()
        self.crowd = Crowd(deployed.base_url, self.ledger, self.seed, PEOPLE)
        self.crowd.prepare()
        self.kills: Counter[str] = Counter()

    def start(self, direction: str, domain: str, soak: float = 1) -> subprocess.Popen[str]:
        """Start the command that moves a domain by a task; without soak, by a state machine."""
        more = ["--soak", str(soak)] if soak else []
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, direction, domain, *more],
            cwd=ROOT,
            env=os.environ | {"PLACE": "deploy-local", "PROJECT": self.deployed.place.project},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def try_to_move(self, direction: str, domain: str) -> tuple[int, str]:
        """Try to move a domain; return the exit code, and what the command said."""
        command = self.start(direction, domain)
        try:
            said = command.communicate(timeout=MOVE_SECONDS)[0]
        except subprocess.TimeoutExpired:
            command.kill()
            said = command.communicate()[0]
            msg = f"seed {self.seed}: it did not end:\n{said}"
            raise AssertionError(msg) from None
        return command.returncode, said

    def move(self, direction: str, domain: str, killed: Sequence[str] = ()) -> str:
        """Move a domain, and return what the command said.

        A task of each program in `killed` is killed at a random moment, one after the other. When
        it is the move's own task, the command fails, and is run again.
        """
        said, deadline = "", time.monotonic() + MOVE_SECONDS
        with self._kills(killed):
            while time.monotonic() < deadline:
                code, more = self.try_to_move(direction, domain)
                said += more
                if code == 0:
                    return said
                assert mover(domain) in killed, said
        raise AssertionError(f"seed {self.seed}: it did not end:\n{said}")

    def move_when(
        self, answer: str, direction: str, domain: str, killed: Sequence[str] = ()
    ) -> tuple[int, str]:
        """Move a domain by its state machine, and `approve` or `refuse` its cutover.

        Meanwhile, a task of each program in `killed` is killed. Return the exit code, and what the
        command said.
        """
        said = ""
        with self._kills(killed), self.start(direction, domain, soak=0) as command:
            assert command.stdout is not None
            for line in command.stdout:
                said += line
                if found := re.search(rf"To {answer}: aws stepfunctions (.+)", line):
                    self._send(found[1].split())
        return command.returncode, said

    def _send(self, words: Sequence[str]) -> None:
        """Call Step Functions as a command of the AWS CLI does."""
        operation, *options = words
        names = [each.removeprefix("--").split("-") for each in options[::2]]
        names = [["output"] if name == ["task", "output"] else name for name in names]
        given = {
            name[0] + "".join(map(str.capitalize, name[1:])): value
            for name, value in zip(names, options[1::2], strict=True)
        }
        client = self.deployed.place.client("stepfunctions")
        getattr(client, operation.replace("-", "_"))(**given)

    @contextmanager
    def _kills(self, programs: Sequence[str]) -> Iterator[None]:
        over = Event()

        def kill() -> None:
            waiting = [*programs]
            while waiting and not over.wait(self.chance.uniform(1, 6)):
                program = waiting.pop(0)
                with suppress(EngineError):  # it has just ended
                    if tasks := self.deployed.tasks(program):
                        docker("kill", tasks[0])
                        self.kills[program] += 1
                        continue
                waiting.append(program)

        killer = Thread(target=kill if programs else over.wait)
        killer.start()
        try:
            yield
        finally:
            over.set()
            killer.join()

    def failures(self, since: float) -> list[Exchange]:
        """Return the failures other than the announced ones."""
        return [one for one in self.crowd.records.failures(since) if not is_announced(one)]

    def prove(self) -> None:
        """Assert that all acknowledged writes are visible, and all sessions valid."""
        if self.deployed.config.extracted:
            settle(self.deployed, SETTLE_SECONDS)
        wrong = Truth(self.deployed, self.ledger).wrong()
        assert not wrong, f"seed {self.seed}:\n" + "\n".join(wrong[:20])
        assert not self.crowd.stale, f"seed {self.seed}:\n" + "\n".join(self.crowd.stale[:20])
        for member in self.crowd.members:
            answer = member.client.insist("GET", "/api/users/me")
            assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def forum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MovedForum]:
    """Deploy the monolith, and all services beside it, which own nothing yet."""
    folder = tmp_path_factory.mktemp("moves")
    # A worker that waits for messages asks again, and is denied it, only after that.
    settings = GENEROUS | {"EVENTS_WAIT_SECONDS": "1"}
    with Deployed(NONE, folder, settings, moving=ALL, mover=STATE_MACHINE) as deployed:
        yield MovedForum(deployed)


def test_state_machine_moves_a_domain_once_a_person_approves(forum: MovedForum) -> None:
    began = time.monotonic()
    # Each phase starts a task, which takes its time beside people who write.
    with forum.crowd.running(3 * THINK_SECONDS):
        code, said = forum.move_when("refuse", "extract", "threads")
        assert (code, "[Cancelled]" in said) == (1, True), said
        assert "The state machine ended: The domain has its former owner." in said
        assert served_by(forum, "threads") == stages.MONOLITH
        assert "failed: Refused" in said
        code, said = forum.move_when("approve", "extract", "threads", [mover("threads")])
        assert (code, "[Moved]" in said) == (0, True), said
        assert forum.kills[mover("threads")] == said.count("  failed:") > 0, said
        assert served_by(forum, "threads") == "threads"
    assert not forum.failures(began), forum.failures(began)[:5]


def served_by(forum: MovedForum, domain: str) -> str:
    """Return the component that answers for a domain."""
    answer = requests.get(f"{forum.deployed.base_url}/api/{domain}", timeout=30)
    return str(answer.headers["X-Served-By"]).partition("/")[0]


def test_no_request_fails_while_domains_move_out(forum: MovedForum) -> None:
    """A mover that is killed, or refused because of another one, fails no request either."""
    began = time.monotonic()
    with forum.crowd.running(THINK_SECONDS):
        said = refuse_another_move(forum)
        forum.move("extract", "posts", [mover("posts")])
    (frozen,) = FROZEN.findall(said)
    assert float(frozen) < 5
    assert not forum.failures(began), forum.failures(began)[:5]
    assert forum.kills[mover("posts")] > 0
    # The next stage says what the moves have done: no rule changes, and no session ends.
    with (
        forum.crowd.running(THINK_SECONDS),
        Readers(forum.deployed.base_url, DATA_FREE, persistent=True) as readers,
    ):
        forum.deployed.deploy(extracted=ALL, moving=NONE, mover=TASK)
    assert not readers.failed
    forum.prove()
    expect_valid_answers(forum.deployed.base_url)


def expect_valid_answers(url: str) -> None:
    """Send each component the requests by which a blue-green deployment is validated."""
    for component, (first, *_) in CHECKS.items():
        answer = requests.get(url + first.path, timeout=30)
        served, _, revision = answer.headers["X-Served-By"].partition("/")
        assert served == component
        assert validate(url, component, revision) == ""


def refuse_another_move(forum: MovedForum) -> str:
    """Move users, try to move posts meanwhile, stop the first move as Ctrl-C does, and resume.

    Return what the first move said.
    """
    first, lines = forum.start("extract", "users", soak=MOVE_SECONDS), []
    assert first.stdout is not None
    for line in first.stdout:
        lines.append(line)
        if "[soak]" in line:
            break
    second = forum.start("extract", "posts")
    said, _ = second.communicate(timeout=MOVE_SECONDS)
    assert second.returncode == 1
    assert "Stopped: Another move is in progress" in said
    first.send_signal(signal.SIGINT)
    rest, _ = first.communicate(timeout=MOVE_SECONDS)
    assert first.returncode == 130
    assert "Stopped. Run this again to resume." in rest
    assert "Resuming at soak." in forum.move("extract", "users")
    return "".join(lines)


@pytest.fixture(scope="module")
def roles(forum: MovedForum) -> Roles:
    return Roles(forum.deployed)


def test_components_need_each_action_that_their_roles_permit(
    forum: MovedForum, roles: Roles
) -> None:
    """Each is taken away in turn: requests fail, or events wait, and nothing is lost."""
    assert not roles.denied(), "a role lacked something during the moves"
    granted = roles.granted(*stages.COMPONENTS) - ONLY_WHILE_MOVING
    with forum.crowd.running(4 * THINK_SECONDS):
        for action in sorted({action for _, action in granted}, reverse=True):
            holders = {program for program, one in granted if one == action}
            denied, failed = permissions.find_denied(forum.deployed, roles, action, holders, 5)
            # Without the bus, requests succeed, and events wait.
            assert failed or not action.startswith("dynamodb:"), action
            # One program's failure may keep another from acting.
            for program in holders - denied:
                alone = permissions.find_denied(forum.deployed, roles, action, {program}, 60)
                denied |= alone[0]
            assert denied == holders, action
    permissions.remove_malformed_events(forum.deployed, stages.COMPONENTS)
    forum.prove()


def test_roles_are_denied_what_belongs_to_others(forum: MovedForum, roles: Roles) -> None:
    for component in stages.COMPONENTS:
        permissions.try_own_queue(roles, component)
        for service, operation, arguments in permissions.forbidden(forum.deployed, component):
            with pytest.raises(ClientError) as denied:
                getattr(roles.client(component, service), operation)(**arguments)
            assert denied.value.response["Error"]["Code"] in permissions.ACCESS_DENIED
    changed = {"aws_session_token": "another"}, {"aws_secret_access_key": "another"}
    for each in changed:
        with pytest.raises(ClientError, match=r"token|signature"):
            permissions.try_own_queue(roles, "users", **each)


def test_nothing_is_lost_on_the_way_back_while_tasks_are_killed(
    forum: MovedForum, roles: Roles
) -> None:
    forum.deployed.deploy(extracted=ALL, moving=ALL)
    denied = roles.denied()
    forum.kills.clear()
    with forum.crowd.running(THINK_SECONDS):
        for domain in reversed(stages.DOMAINS):
            programs = (mover(domain), domain, stages.MONOLITH, worker_name(domain))
            forum.move("reintegrate", domain, programs if domain == "posts" else ())
    assert len(forum.kills) > 1, f"too few programs were killed: {forum.kills}"
    assert roles.denied() == denied, "a role lacked something during the moves"
    used = {*roles.used()}
    assert roles.granted(*stages.COMPONENTS) <= used
    # Whether a mover repairs something depends on what people do meanwhile.
    movers = [mover(domain) for domain in stages.DOMAINS]
    assert {one for _, one in roles.granted(*movers)} <= {one for who, one in used if who in movers}


def test_move_stops_without_each_action_that_every_move_needs(
    forum: MovedForum, roles: Roles
) -> None:
    """Each is taken away in turn. Then the others, as far as the rest of the move uses them."""
    name = mover("threads")
    used = dict.fromkeys(action for program, action in roles.used() if program == name)
    # What every move needs comes first; the others are in the order of their first use.
    actions = sorted(used, key=lambda action: action not in ALWAYS)
    denied: set[str] = set()
    with forum.crowd.running(4 * THINK_SECONDS):
        for action in actions:
            with roles.without({action}, name):
                code, said = forum.try_to_move("extract", "threads")
            if code == 0:
                break
            assert roles.denied()[-1] == (name, action), said
            denied.add(action)
        else:
            forum.move("extract", "threads")
    # The test before this one has shown that movers use the others.
    assert denied >= ALWAYS
    forum.deployed.deploy(extracted=frozenset({"threads"}), moving=NONE)
    assert not forum.deployed.tasks("users")
    assert not forum.deployed.tasks("posts")
    forum.prove()
