"""The check of lab 0: everything that the other labs start, started once."""

from labs import doctor
from labs.gateway_probe import run_gateway
from labs.outcome import fail
from labs.service_probe import run_service
from labs.workspace import Workspace

PAGE = "labs/README.md"


def check_machine(workspace: Workspace) -> None:
    """Check the programs of the machine, then run a service, its tables and the gateway."""
    if problems := doctor.find_problems(docker=False):
        fail(
            "machine",
            asked="the programs that the labs start",
            got=problems[0],
            expected="git, make and a platform with the programs that the forum starts",
            why="Each later check starts parts of the forum on this machine.",
            page=PAGE,
        )
    with run_service(workspace, "users") as service:
        made = service.send(
            "POST", "/api/users", {"username": "ada", "password": "correct horse battery"}
        )
    if made.status != 201:
        fail(
            "no-registration",
            asked="POST /api/users as ada, on an empty DynamoDB",
            got=str(made.status),
            expected="201",
            why="The service and its tables are what labs 6 and 9 work on.",
            page=PAGE,
        )
    with run_gateway(workspace, "users") as gateway:
        component = gateway.find_component("/api/users")
    if component != "users":
        fail(
            "no-route",
            asked="/api/users, through the gateway",
            got=component,
            expected="users",
            why="The gateway is what lab 5 works on.",
            page=PAGE,
        )


CHECKS = (check_machine,)
