"""The state machine of a move: a state for each phase, an approval, and the way back."""

import json
from typing import Any

import pytest

from extraction import __main__ as command_line
from infra import stages
from infra.cdk.components import MOVER, STATE_MACHINE, mover
from infra.cdk.constructs.move_state_machine import DIRECTIONS
from infra.cdk.options import OptionsError, read_options
from infra.tests.cdk.templates import templates, texts
from infra.tests.cdk.test_permissions import granted

MADE = templates(
    extracted="", moving="users,threads,posts", mover="state-machine", email="ops@example.com"
)
KIND = "AWS::StepFunctions::StateMachine"
RUN, PUBLISH = ":states:::ecs:runTask.sync", ":states:::sns:publish.waitForTaskToken"


def states(domain: str) -> dict[str, Any]:
    """Return the states of a domain's state machine, beginning with Start."""
    definition = json.loads(texts(MADE.one(KIND, domain)["DefinitionString"]["Fn::Join"][1]))
    assert definition["StartAt"] == "Start"
    found: dict[str, Any] = definition["States"]
    return found


def way(found: dict[str, Any], name: str) -> list[str]:
    """Return the states from one on, while nothing fails."""
    names = [name]
    while following := found[names[-1]].get("Next"):
        names.append(following)
    return names


@pytest.mark.parametrize("domain", stages.DOMAINS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_each_phase_is_a_state_in_the_order_of_the_mover(domain: str, direction: str) -> None:
    found = states(domain)
    (choice,) = (
        each for each in found["Start"]["Choices"] if each["And"][1]["StringEquals"] == direction
    )
    assert choice["And"][0] == {"Variable": "$.direction", "IsPresent": True}
    assert found[found["Start"]["Default"]]["Type"] == "Fail"
    first, *others = way(found, choice["Next"])
    commands = found[first]["Result"]
    ran = []
    for name in others:
        state = found[name]
        if state.get("Resource", "").endswith(RUN):
            (override,) = state["Parameters"]["Overrides"]["ContainerOverrides"]
            path = override["Command.$"].removeprefix("$.")
            assert commands[path][:3] == ["python", "-m", "extraction"]
            given = command_line._parser().parse_args(commands[path][3:])
            assert (given.command, given.domain) == (direction, domain)
            ran.append(given.phase)
    prepare, backfill, catch_up, verify, cutover, soak = command_line.PHASES
    assert ran == [prepare, backfill, catch_up, verify, catch_up, cutover, soak]
    assert others[0] == "Wait for filters"
    assert found[others[0]]["Seconds"] == 15 * 60
    assert others.index("Approve") == others.index("Verify") + 1
    assert others[-1] == "Moved"


@pytest.mark.parametrize("domain", stages.DOMAINS)
def test_failure_before_the_owner_has_changed_cancels_the_move(domain: str) -> None:
    found = states(domain)
    phases = way(found, "Prepare")
    for name in phases[: phases.index("Soak")]:
        (caught,) = found[name]["Catch"]
        assert (caught["ErrorEquals"], caught["Next"]) == (["States.ALL"], "Cancel"), name
        assert caught["ResultPath"] is None, "the commands are the input of the next state"
    assert "Catch" not in found["Soak"]
    assert way(found, "Cancel") == ["Cancel", "Cancelled"]
    (caught,) = found["Cancel"]["Catch"]
    assert caught["Next"] == "Soak", "after the owner has changed, the move can only end"
    assert found["Cancelled"]["Type"] == "Fail"
    for direction in DIRECTIONS:
        cancel = found[direction.capitalize()]["Result"]["cancel"]
        given = command_line._parser().parse_args(cancel[3:])
        assert (given.command, given.domain) == (command_line.CANCEL, domain)


@pytest.mark.parametrize("domain", stages.DOMAINS)
def test_phases_run_as_tasks_of_the_mover(domain: str) -> None:
    ran = [state for state in states(domain).values() if state.get("Resource", "").endswith(RUN)]
    assert len(ran) == 8
    for state in ran:
        parameters = state["Parameters"]
        (override,) = parameters["Overrides"]["ContainerOverrides"]
        assert override["Name"] == mover(domain)
        network = parameters["NetworkConfiguration"]["AwsvpcConfiguration"]
        assert network["AssignPublicIp"] == "ENABLED"
        assert parameters["LaunchType"] == "FARGATE"
        (retry,) = state["Retry"]
        assert retry["ErrorEquals"] == ["States.ALL"]
        assert state["ResultPath"] is None


@pytest.mark.parametrize("domain", stages.DOMAINS)
def test_person_gets_both_commands_of_the_approval(domain: str) -> None:
    approve = states(domain)["Approve"]
    assert approve["Resource"].endswith(PUBLISH)
    assert approve["TimeoutSeconds"] == 24 * 60 * 60
    message = approve["Parameters"]["Message"]
    assert message.keys() == {"approve.$", "refuse.$"}
    assert (
        "send-task-success --task-output true --task-token {}', $$.Task.Token"
        in message["approve.$"]
    )
    refusal = "send-task-failure --error Refused --task-token {}', $$.Task.Token"
    assert refusal in message["refuse.$"]
    never, again = approve["Retry"]
    assert (never["ErrorEquals"], never["MaxAttempts"]) == (["Refused", "States.Timeout"], 0)
    assert again["ErrorEquals"] == ["States.ALL"]
    emails = list(MADE.all("AWS::SNS::Subscription", domain))
    assert [each["Endpoint"] for each in emails] == ["ops@example.com"]


@pytest.mark.parametrize("domain", stages.DOMAINS)
def test_state_machine_may_run_its_mover_and_nothing_else(domain: str) -> None:
    statements = granted(MADE, domain, "StateMachineRole.*")
    named = {action: resources for _, actions, resources in statements for action in actions}
    families = {action: texts(resources) for action, resources in named.items()}
    assert "MoverTaskDefinition" in families["ecs:RunTask"]
    assert all(
        each.startswith("MoverRole") or "ExecutionRole" in each for each in named["iam:PassRole"]
    )
    assert families["sns:Publish"].startswith("StateMachineApprovals")
    assert families["ecs:StopTask"].endswith(":task/forum/*")
    anything = {action for action, resources in named.items() if resources == ["*"]}
    assert all(one.startswith(("logs:", "xray:")) for one in anything)


def test_only_moves_with_this_option_have_one() -> None:
    made = templates(extracted="", moving="users")
    assert not list(made.all(KIND))
    assert MOVER + STATE_MACHINE not in made.stack("users")["Outputs"]
    assert MOVER + STATE_MACHINE in MADE.stack("users")["Outputs"]


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({}, "set moving, too"),
        ({"moving": "users", "role": "LabRole"}, "set mover=task for role"),
        ({"moving": "users", "mover": "people"}, "mover must be one of task, state-machine"),
    ],
)
def test_wrong_options_are_named(context: dict[str, str], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        read_options({"mover": "state-machine"} | context)
