"""State machines at the emulator, and the command that starts one and looks on."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from extraction.deployment.ecs_state_machine import MoveExecution
from extraction.deployment.port import DeploymentError
from infra.tests.local_cloud.test_emulator_guard import Emulator

ROLE = "machine"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "states.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
TOPIC = "arn:aws:sns:eu-central-1:000000000000:approvals"
COMMAND = "States.Format('aws stepfunctions {} --task-token {{}}', $$.Task.Token)"
DEFINITION = {
    "StartAt": "Wait",
    "States": {
        "Wait": {"Type": "Wait", "Seconds": 60, "Next": "Approve"},
        "Approve": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sns:publish.waitForTaskToken",
            "Parameters": {
                "TopicArn": TOPIC,
                "Message": {
                    "approve.$": COMMAND.format("send-task-success --task-output true"),
                    "refuse.$": COMMAND.format("send-task-failure --error Refused"),
                },
            },
            "Catch": [{"ErrorEquals": ["Refused"], "Next": "Cancelled"}],
            "Next": "Moved",
        },
        "Cancelled": {"Type": "Fail", "Cause": "The domain has its former owner."},
        "Moved": {"Type": "Succeed"},
    },
}


class Command:
    """The command of a person who answers as soon as asked."""

    def __init__(self, emulator: Emulator, machine: str, answer: str = "") -> None:
        self.said: list[str] = []
        self._states, self._answer = emulator.client("stepfunctions"), answer
        self.execution = MoveExecution(emulator.client, machine, self._say)

    def _say(self, line: str) -> None:
        self.said.append(line)
        if self._answer and (found := re.match(rf"  To {self._answer}: (.+)", line)):
            words = found[1].split()
            token = words[words.index("--task-token") + 1]
            if self._answer == "approve":
                self._states.send_task_success(taskToken=token, output="true")
            else:
                self._states.send_task_failure(taskToken=token, error="Refused")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        running.client("sns").create_topic(Name="approvals")
        roles = running.client("iam")
        roles.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
        yield running


@pytest.fixture
def machine(emulator: Emulator, request: pytest.FixtureRequest) -> str:
    """Create a state machine with an approval; return its ARN."""
    name = re.sub(r"\W+", "-", request.node.name)[:80]
    created = emulator.client("stepfunctions").create_state_machine(
        name=name,
        roleArn=f"arn:aws:iam::000000000000:role/{ROLE}",
        definition=json.dumps(DEFINITION),
    )
    return str(created["stateMachineArn"])


@pytest.mark.parametrize(
    ("answer", "code", "last"),
    [
        ("approve", 0, "[Moved]"),
        ("refuse", 1, "The state machine ended: The domain has its former owner."),
    ],
)
def test_person_sees_the_states_and_decides(
    emulator: Emulator, machine: str, answer: str, code: int, last: str
) -> None:
    command = Command(emulator, machine, answer)
    assert command.execution.run("extract") == code
    assert command.said[1:3] == ["[Wait]", "[Approve]"]
    assert command.said[-1] == last
    assert ("  failed: Refused " in command.said) == (answer == "refuse")


def test_minute_of_a_wait_takes_two_seconds(emulator: Emulator, machine: str) -> None:
    began = time.monotonic()
    assert Command(emulator, machine, "approve").execution.run("extract") == 0
    assert 2 <= time.monotonic() - began < 30


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_second_command_looks_on_and_the_opposite_one_is_refused(
    emulator: Emulator, machine: str
) -> None:
    first, second = Command(emulator, machine), Command(emulator, machine, "approve")
    codes: list[int] = []
    running = threading.Thread(target=lambda: codes.append(first.execution.run("extract")))
    running.start()
    wait_for(lambda: any("To approve" in line for line in first.said))
    with pytest.raises(DeploymentError, match="runs in the other direction"):
        Command(emulator, machine).execution.run("reintegrate")
    assert second.execution.run("extract") == 0
    running.join()
    assert codes == [0]
    assert second.said[0] == "This move runs already; its states follow."
    listed = emulator.client("stepfunctions").list_executions(stateMachineArn=machine)
    assert len(listed["executions"]) == 1


def test_interrupted_command_leaves_the_state_machine_running(
    emulator: Emulator, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = Command(emulator, machine)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("extraction.deployment.ecs_state_machine.time.sleep", interrupt)
    assert command.execution.run("extract") == 130
    (stop,) = re.findall(r"stop-execution --execution-arn (\S+)", "\n".join(command.said))
    states = emulator.client("stepfunctions")
    assert states.describe_execution(executionArn=stop)["status"] == "RUNNING"
    states.stop_execution(executionArn=stop)
