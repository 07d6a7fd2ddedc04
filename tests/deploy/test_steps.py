"""One deployment, step by step: extraction, new revision, failure and reintegration."""

import time
from dataclasses import replace

import pytest
import requests

from infra.demo.content import read
from infra.demo.load import PASSWORD
from infra.local_cloud import demo
from infra.local_cloud.deploy import deploy
from infra.local_cloud.stacks import StackError
from infra.local_cloud.status import describe, running_deployments
from infra.local_cloud.target import EngineError, docker
from infra.runner.config import ROOT
from labs import deployment_checks
from labs.deployment_probe import DeploymentProbe
from labs.outcome import StepFailed
from tests.deploy.conftest import AtStage
from tests.deploy.deployed import Deployed
from tests.deploy.watching import Readers
from tests.support.waits import wait_until

# What each component answers without its data: the emulator's DynamoDB may take longer on a busy
# machine than a component waits for it, which is no matter of deployments.
USERS, THREADS, POSTS = (
    "/api/users/jwks.json",
    "/api/threads/openapi.json",
    "/api/posts/openapi.json",
)
CONTENT = read()
PATHS = ("/sign-in", USERS, THREADS, POSTS)


@pytest.fixture(scope="module")
def forum(at_stage: AtStage) -> Deployed:
    """Begin with the monolith alone."""
    return at_stage(frozenset())


def component(forum: Deployed, path: str) -> str:
    answer = requests.get(forum.base_url + path, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.headers["X-Served-By"].partition("/")[0]


def test_monolith_alone_serves_every_path(forum: Deployed) -> None:
    assert {component(forum, path) for path in PATHS} == {"monolith"}
    # It may be ending, after a stage with services.
    wait_until(lambda: not forum.tasks("monolith-worker"), 60)


def test_demo_content_is_loaded_once(forum: Deployed) -> None:
    for _ in range(2):
        hint = demo.load_missing(forum.place, forum.options, say=forum.printed.append)
        assert hint.startswith("Sign in as ")
        counts = [row["post_count"] for row in threads(forum)]
        assert len(counts) == len(CONTENT.threads)
        assert sum(counts) == len(CONTENT.posts)


def threads(forum: Deployed) -> list[dict[str, int]]:
    items: list[dict[str, int]] = requests.get(f"{forum.base_url}/api/threads", timeout=30).json()[
        "items"
    ]
    return items


def test_port_of_the_deployment_is_busy_for_another(forum: Deployed) -> None:
    other = replace(forum.place, project="forum-other")
    with pytest.raises(EngineError, match=f"port {other.port} is in use; choose another"):
        deploy(other, forum.options, say=forum.printed.append)
    moved = replace(forum.place, port=other.port + 1)
    with pytest.raises(EngineError, match=f"runs at port {other.port}"):
        deploy(moved, forum.options, say=forum.printed.append)


@pytest.fixture(scope="module")
def monolith_session(forum: Deployed) -> dict[str, str]:
    """Return the headers of a session of the monolith's accounts."""
    ada = {"username": "ada", "password": "correct horse battery staple"}
    created = requests.post(f"{forum.base_url}/api/users", json=ada, timeout=30)
    assert created.status_code == 201, created.text
    session = requests.post(f"{forum.base_url}/api/users/sessions", json=ada, timeout=30)
    return {"Authorization": f"Bearer {session.json()['token']}"}


def write_thread(forum: Deployed, session: dict[str, str]) -> int:
    """Try to create a thread; return the status."""
    new = {"title": "A thread"}
    answer = requests.post(f"{forum.base_url}/api/threads", json=new, headers=session, timeout=30)
    return answer.status_code


def test_session_is_valid_with_its_accounts(
    forum: Deployed, monolith_session: dict[str, str]
) -> None:
    assert write_thread(forum, monolith_session) == 201


def test_two_domains_are_extracted_with_one_owner_per_path(
    forum: Deployed,
) -> None:
    with Readers(forum.base_url, PATHS) as readers:
        forum.deploy(extracted=frozenset({"users", "posts"}))
    assert not readers.failed
    # It goes from the monolith to the service once, and never back.
    assert [s.partition("/")[0] for s in readers.servers(USERS)] == ["monolith", "users"]
    assert [s.partition("/")[0] for s in readers.servers(POSTS)] == ["monolith", "posts"]
    assert {s.partition("/")[0] for s in readers.servers(THREADS)} == {"monolith"}
    assert component(forum, USERS) == "users"
    assert forum.tasks("users-worker")
    assert forum.tasks("monolith-worker")


def test_demo_people_exist_at_every_owner(forum: Deployed) -> None:
    demo.load_missing(forum.place, forum.options, say=forum.printed.append)
    ada = {"username": CONTENT.people[0].username, "password": PASSWORD}
    session = requests.post(f"{forum.base_url}/api/users/sessions", json=ada, timeout=30)
    assert session.status_code == 201, session.text
    assert component(forum, USERS) == "users"


def test_status_tells_owners_and_tasks(forum: Deployed) -> None:
    assert forum.place in running_deployments(ROOT)
    assert forum.place not in running_deployments(ROOT.parent)
    lines = list(describe(forum.place))
    assert lines[:4] == [
        f"{forum.place.project} (make deploy-local) at {forum.base_url}",
        "users    owned by users",
        "threads  owned by monolith",
        "posts    owned by posts",
    ]
    assert f"{'users':16} 1 of 1 tasks run" in lines[4:]
    assert not any(line.startswith("threads ") for line in lines[4:])


@pytest.fixture
def probe(forum: Deployed) -> DeploymentProbe:
    return DeploymentProbe(forum.place.client, forum.base_url, forum.options)


def test_checks_of_the_labs_pass_on_the_deployment(probe: DeploymentProbe) -> None:
    deployment_checks.check_services(probe)
    deployment_checks.check_routes(probe)


def test_check_of_the_labs_names_the_wrong_component(
    forum: Deployed, probe: DeploymentProbe
) -> None:
    probe.address = forum.urls["monolith"]  # past the load balancer, whose rules are then missing
    with pytest.raises(StepFailed) as failure:
        deployment_checks.check_routes(probe)
    assert failure.value.diagnosis.name == "wrong-component"
    assert failure.value.diagnosis.asked == "GET /api/users"


def test_check_of_the_labs_names_the_service_without_tasks(
    forum: Deployed, probe: DeploymentProbe
) -> None:
    ecs = forum.place.client("ecs")
    service = {"cluster": "forum", "service": "posts-worker"}
    ecs.update_service(**service, desiredCount=0)
    try:
        with pytest.raises(StepFailed) as failure:
            deployment_checks.check_services(probe)
        assert failure.value.diagnosis.name == "not-running"
        assert failure.value.diagnosis.asked == "the tasks of the service posts-worker"
    finally:
        ecs.update_service(**service, desiredCount=1)
    wait_for_tasks(probe, "posts-worker")


def wait_for_tasks(probe: DeploymentProbe, service: str) -> None:
    deadline = time.monotonic() + 60
    while probe.services()[service]["runningCount"] != 1:
        assert time.monotonic() < deadline, f"{service} did not start again"
        time.sleep(0.5)


def test_session_of_other_accounts_is_refused(
    forum: Deployed, monolith_session: dict[str, str]
) -> None:
    assert component(forum, THREADS) == "monolith"
    assert write_thread(forum, monolith_session) == 401


def test_components_find_each_other_by_dns_name(forum: Deployed) -> None:
    look = "import socket; print(socket.gethostbyname('users.forum.local'))"
    found = docker("exec", forum.tasks("monolith")[0], "python", "-c", look).strip()
    inspected = docker("inspect", forum.tasks("users")[0])
    assert f'"{found}"' in inspected


def test_removed_resources_are_listed(forum: Deployed) -> None:
    assert "left out: " in forum.output_text()
    assert "AWS::EC2::FlowLog (there is no traffic of a VPC to log)" in forum.output_text()


def test_container_runs_with_the_rights_of_its_definition(forum: Deployed) -> None:
    for program in ("users", "users-worker", "monolith"):
        task = forum.tasks(program)[0]
        inspected = docker(
            *("inspect", "--format"),
            "{{.HostConfig.ReadonlyRootfs}} {{.Config.User}} {{.HostConfig.CapDrop}}",
            task,
        )
        assert inspected.split() == ["true", "10001:10001", "[ALL]"]


def test_new_revision_rolls_out_without_a_failed_read(forum: Deployed) -> None:
    before = forum.alone("posts")
    with Readers(forum.base_url, PATHS) as readers:
        forum.deploy(revision="second")
    assert not readers.failed
    assert forum.alone("posts") != before
    for path in PATHS:
        assert readers.servers(path)[-1].endswith("/second")


def test_broken_image_leaves_the_old_revision_serving(forum: Deployed) -> None:
    """The program of a wrong build ends right after its start."""
    serving = forum.alone("posts")
    with (
        forum.changed_image("posts", 'ENTRYPOINT ["false"]'),
        Readers(forum.base_url, PATHS) as readers,
        pytest.raises(StackError, match="circuit breaker"),
    ):
        forum.deploy(revision="third")
    assert not readers.failed
    assert forum.alone("posts") == serving
    assert readers.servers(POSTS) == ["posts/second"]


def test_reintegration_removes_paths_and_data_of_the_service(
    forum: Deployed, monolith_session: dict[str, str]
) -> None:
    with Readers(forum.base_url, PATHS) as readers:
        forum.deploy(extracted=frozenset({"posts"}), revision="fourth")
    assert not readers.failed
    assert component(forum, USERS) == "monolith"
    assert component(forum, POSTS) == "posts"
    assert write_thread(forum, monolith_session) == 201, "the monolith's accounts are back"
    assert not forum.tasks("users"), "its stack is deleted after its tasks"
    tables = forum.place.client("dynamodb").list_tables()["TableNames"]
    assert tables
    assert all(name.startswith("forum-posts") for name in tables)
