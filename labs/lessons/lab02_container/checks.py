"""Checks of lab 2: the monolith's image, its process, and its service in Compose."""

import json
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NoReturn

import urllib3

from infra import session_keys
from labs import containers
from labs.outcome import CheckInconclusive, CheckNotRun, fail
from labs.workspace import Workspace, last_lines

DOCKERFILE = "monolith/Dockerfile"
COMPOSE = "compose.yaml"
REQUIREMENTS = "requirements/monolith.txt"
IMAGES_PAGE = "docs/adr/0016-containers.md"
CALLS_PAGE = "docs/adr/0015-calls.md"

_BASE = "python:3.13-slim"
_MOST_MEGABYTES = 95  # above the base image
_LOOK = """
import importlib.util, json, os, pathlib, re, shutil
flask = importlib.util.find_spec("flask")
odd = re.compile(r"(private|secret|password|session)_key|[.](pem|key|sqlite|db)$|^[.]env")
tops = [pathlib.Path("/", top) for top in "app data home opt root srv".split()]
found = [file for top in tops if top.is_dir() and os.access(top, os.R_OK | os.X_OK)
         for file in top.rglob("*")]
print(json.dumps({
    "user": os.getuid(),
    "tools": [name for name in ("pip", "setuptools") if importlib.util.find_spec(name)]
    + [name for name in ("gcc", "make", "git", "uv") if shutil.which(name)],
    "code": sorted(each.name for each in pathlib.Path("/app").iterdir()),
    "tests": [str(each) for each in found
              if each.parts[1] == "app" and each.name in ("tests", "conftest.py")],
    "secrets": [str(each) for each in found
                if odd.search(each.name) and each.suffix != ".py" and each.name != "cacert.pem"],
    "installed": os.stat(flask.origin).st_mtime_ns,
}))
"""
_REFUSED = re.compile(r"match the hashes|hash(es)? mismatch", re.IGNORECASE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f])")
_READY_SECONDS, _EXIT_SECONDS = 40.0, 14.0
_DRAIN_SECONDS, _LAST_REQUESTS = 4, 8
_UP_SECONDS = 90


def check_image(workspace: Workspace) -> None:
    """Check the image: user, content and size, what a change of code costs, and the lock."""
    with tempfile.TemporaryDirectory() as name:
        folder = containers.copy_files(workspace, Path(name, "first"))
        with containers.build_image(folder, DOCKERFILE) as image:
            found = _look(image)
            _check_content(found, workspace)
            _check_size(image, workspace)
        (folder / "monolith/forum/changed.py").write_text('"""A change."""\n', encoding="utf-8")
        with containers.build_image(folder, DOCKERFILE) as changed:
            if _look(changed)["installed"] != found["installed"]:
                _fail(
                    workspace,
                    "reinstalls",
                    asked="the image again, after a change of monolith/forum",
                    got="all dependencies installed anew",
                    expected="the dependencies of before",
                    sign="pip ",
                    why=(
                        "The engine keeps a layer as long as everything before it is the same."
                        " Code changes often, dependencies rarely: so they come first."
                    ),
                )
        _check_lock(folder, workspace)


def _check_content(found: Mapping[str, Any], workspace: Workspace) -> None:
    if found["user"] == 0:
        _fail(
            workspace,
            "runs-as-root",
            asked="the user of the image",
            got="root",
            expected="an unprivileged user, 10001",
            sign="FROM ",
            why=(
                "A fault in the program has the rights of its user. Root in a container is one"
                " fault of the engine away from root of the machine."
            ),
        )
    if found["tools"]:
        _fail(
            workspace,
            "build-tools",
            asked="programs in the image",
            got=", ".join(found["tools"]),
            expected="no program that only builds need",
            sign="FROM ",
            why=(
                "What builds an image is of no use to the forum, but to someone who got in. A last"
                " stage takes only results."
            ),
        )
    if found["code"] != ["chassis", "forum"] or found["tests"]:
        _fail(
            workspace,
            "foreign-code",
            asked="the folders in /app",
            got=", ".join([*found["code"], *found["tests"][:3]]),
            expected="chassis, forum",
            sign="COPY . ",
            why=(
                "Each file that is copied is one more reason to build, ship and restart the"
                " monolith, although nothing of it has changed."
            ),
        )
    if found["secrets"]:
        _fail(
            workspace,
            "secret-in-image",
            asked="files that look like keys and databases",
            got=", ".join(found["secrets"][:3]),
            expected="none",
            sign="COPY ",
            why="Everybody who can pull an image reads its files, those of deleted layers, too.",
        )


def _check_size(image: str, workspace: Workspace) -> None:
    size, base = (containers.inspect_image(name)["Size"] for name in (image, _BASE))
    megabytes = (size - base) / 10**6
    if megabytes > _MOST_MEGABYTES:
        _fail(
            workspace,
            "too-large",
            asked=f"the size above that of {_BASE}",
            got=f"{megabytes:.0f} MB",
            expected=f"at most {_MOST_MEGABYTES} MB",
            sign="COPY ",
            why=(
                "A new task begins with the download of its image. botocore alone describes 400"
                " services of AWS, of which the forum uses three."
            ),
        )


def _check_lock(folder: Path, workspace: Workspace) -> None:
    """Check that a package with another content than the locked one is refused."""
    file = folder / REQUIREMENTS
    text = file.read_text(encoding="utf-8")
    end = _second_package(text)
    head, tail = text[:end], text[end:]
    file.write_text(_HASH.sub(_other_hash, head) + tail, encoding="utf-8")
    name = containers.new_name()
    done = containers.try_build(name, folder, DOCKERFILE)
    if done.returncode == 0:
        containers.run_docker("image", "rm", "--force", name)
        _fail(
            workspace,
            "unlocked",
            asked="the image, after a package's content has changed since it was locked",
            got="an image with the changed package",
            expected="a build that refuses it",
            sign="install ",
            why=(
                "Without versions and hashes, two builds of one commit differ, and the owner of"
                " a package controls the forum."
            ),
        )
    if not _REFUSED.search(done.stderr + done.stdout):
        raise CheckNotRun(last_lines(done.stderr))


def _second_package(text: str) -> int:
    """Return where the second package of a file of requirements begins."""
    starts = [match.start() for match in re.finditer(r"^[A-Za-z0-9]", text, re.MULTILINE)]
    return starts[1]


def _other_hash(match: "re.Match[str]") -> str:
    return f"--hash=sha256:{'0' if match[1] != '0' else '1'}"


def _look(image: str) -> dict[str, Any]:
    options = ("run", "--rm", "--network", "none", "--entrypoint", "python", image, "-c", _LOOK)
    done = containers.run_docker(*options)
    if done.returncode:
        raise CheckNotRun(last_lines(done.stderr))
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def check_process(workspace: Workspace) -> None:
    """Check how the container reports its health, and how it ends."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        context = containers.copy_files(workspace, folder / "context")
        image = stack.enter_context(containers.build_image(context, DOCKERFILE))
        config = containers.inspect_image(image)["Config"]
        test = (config.get("Healthcheck") or {}).get("Test") or ["NONE"]
        if test[0] == "NONE":
            _fail(
                workspace,
                "no-health-check",
                asked="the image's HEALTHCHECK",
                got="none",
                expected="a program that asks the forum whether it is ready",
                sign="CMD ",
                why="A process that hangs is a process that runs, as far as the engine knows.",
                page=CALLS_PAGE,
            )
        options = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL")
        name = stack.enter_context(
            containers.run_container(image, _settings(folder / "keys"), options)
        )
        url = f"http://127.0.0.1:{containers.published_port(name)}"
        http = stack.enter_context(urllib3.PoolManager(retries=False, timeout=2))
        # Without its schema, the forum is not ready. If the container has ended, its log says why.
        containers.run_docker("exec", name, "python", "-m", "forum", "migrate")
        _wait_until_ready(http, url, name)
        command = test[1:] if test[0] == "CMD" else ["sh", "-c", test[1]]
        _check_health(name, command, workspace, draining=False)
        signal = config.get("StopSignal") or "SIGTERM"
        containers.require_docker("kill", "--signal", signal, name)
        _check_end(http, url, name, command, workspace)


def _settings(keys: Path) -> dict[str, str]:
    session_keys.ensure_keys(keys)
    names = (session_keys.PRIVATE, session_keys.PUBLIC, session_keys.SECRET)
    return {
        **{name.upper(): (keys / name).read_text(encoding="utf-8") for name in names},
        "DATABASE_URL": "sqlite:////tmp/forum.db",
        "EXTRACTED": "",
        "DRAIN_SECONDS": str(_DRAIN_SECONDS),
        "WEB_CONCURRENCY": "1",
        "LOG_FORMAT": "text",
    }


def _wait_until_ready(http: urllib3.PoolManager, url: str, name: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if _status(http, f"{url}/readyz") == 200:
            return
        if not containers.container_state(name)["Running"]:
            raise CheckNotRun(last_lines(containers.run_docker("logs", name).stderr))
        time.sleep(0.1)
    msg = f"the container was not ready within {_READY_SECONDS:g} s"
    raise CheckInconclusive(msg)


def _status(http: urllib3.PoolManager, url: str) -> int:
    with suppress(urllib3.exceptions.HTTPError):
        return http.request("GET", url).status
    return 0


def _check_health(
    name: str, command: Sequence[str], workspace: Workspace, *, draining: bool
) -> None:
    """Run the health check in the container, and compare its exit code."""
    done = containers.run_docker("exec", name, *command)
    if draining == (done.returncode != 0):
        return
    _fail(
        workspace,
        "always-healthy" if draining else "never-healthy",
        asked=f"the health check, while the forum {'stops' if draining else 'is ready'}",
        got=f"exit code {done.returncode} {last_lines(done.stderr + done.stdout)}".strip(),
        expected="an exit code other than 0" if draining else "exit code 0",
        sign="HEALTHCHECK",
        why=(
            "It asks whether there is a process, not whether it can work. /readyz fails as soon as"
            " a stop begins, or the database is unreachable."
            if draining
            else "A check that cannot run makes every container unhealthy. The image has no curl."
        ),
        page=CALLS_PAGE,
    )


def _check_end(
    http: urllib3.PoolManager, url: str, name: str, command: Sequence[str], workspace: Workspace
) -> None:
    """Check that the container is not ready, still serves, and then ends by itself."""
    began = time.monotonic()
    # The signal takes a moment, on its way and in the process.
    while _status(http, f"{url}/readyz") == 200 and time.monotonic() - began < _DRAIN_SECONDS:
        time.sleep(0.1)
    status = _status(http, f"{url}/healthz")
    seconds = time.monotonic() - began
    if status != 200 and seconds < _DRAIN_SECONDS - 1:
        _fail(
            workspace,
            "cuts-requests",
            asked=f"a request {seconds:.1f} s after the signal to stop",
            got=f"status {status}" if status else "no response",
            expected=f"a response: it serves for another DRAIN_SECONDS, {_DRAIN_SECONDS} s",
            sign="CMD ",
            why=(
                "A load balancer needs seconds to notice. What it sends meanwhile would be lost."
                " The settings in chassis.http.gunicorn_conf go on serving after SIGTERM."
            ),
            page=CALLS_PAGE,
        )
    if containers.container_state(name)["Running"] and seconds < _DRAIN_SECONDS - 1:
        _check_health(name, command, workspace, draining=_is_draining(http, url))
    while time.monotonic() - began < _EXIT_SECONDS:
        state = containers.container_state(name)
        if not state["Running"]:
            break
        time.sleep(0.2)
    if state["Running"] or state["ExitCode"] != 0:
        _fail(
            workspace,
            "killed",
            asked=f"the container, {time.monotonic() - began:.0f} s after the signal to stop",
            got="still running" if state["Running"] else f"exit code {state['ExitCode']}",
            expected=f"ended with code 0, after {_DRAIN_SECONDS} s and what is left to do",
            sign="CMD ",
            why=(
                "The engine signals the first process only. If that is a shell that waits for"
                " others, none of them learns of it, and all are killed in the end."
            ),
            page=CALLS_PAGE,
        )


def _is_draining(http: urllib3.PoolManager, url: str) -> bool:
    return _status(http, f"{url}/readyz") == 503


def check_service(workspace: Workspace) -> None:
    """Check the service of the monolith as Compose reads it, and that it becomes healthy."""
    settings = {"EXTRACTED": "", "COMPOSE_PROFILES": "", "DEMO": "off"}
    services = _read_services(workspace.folder / COMPOSE, settings)
    _check_secrets(services["monolith"], workspace)
    _check_order(services, workspace)
    _check_policies(services["monolith"], workspace)
    _run_service(workspace, settings)


def _read_services(file: Path, settings: Mapping[str, str]) -> dict[str, Any]:
    command = containers.compose_command(f"{containers.PREFIX}config", [file])
    done = containers.run_docker(*command, "config", "--format", "json", environment=settings)
    if done.returncode:
        raise CheckNotRun(last_lines(done.stderr))
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    return services


_SECRET_NAMES = re.compile(r"^(SECRET_KEY|SESSION_PRIVATE_KEY|PGPASSWORD|DATABASE_PASSWORD)$")


def _check_secrets(service: Mapping[str, Any], workspace: Workspace) -> None:
    named = [name for name in service.get("environment", {}) if _SECRET_NAMES.match(name)]
    if named:
        _fail(
            workspace,
            "secret-in-environment",
            asked="the environment of the service monolith",
            got=", ".join(named),
            expected="SECRETS_DIR, a folder with a file for each secret",
            file=COMPOSE,
            sign=f"{named[0]}:",
            why=(
                "compose.yaml is in the repository, and docker inspect shows every variable. The"
                " program setup makes secrets once, in a volume."
            ),
        )
    mounts = {each["target"]: each for each in service.get("volumes", ())}
    if not mounts.get("/secrets", {}).get("read_only"):
        _fail(
            workspace,
            "writable-secrets",
            asked="the volume at /secrets",
            got="writable" if "/secrets" in mounts else "none",
            expected="secrets-monolith, read-only",
            file=COMPOSE,
            sign="secrets-monolith:/secrets",
            why="A fault in the forum must not replace the key that signs everybody's session.",
        )


def _check_order(services: Mapping[str, Any], workspace: Workspace) -> None:
    waits = {name: each["condition"] for name, each in services["monolith"]["depends_on"].items()}
    wanted = "service_completed_successfully"
    if waits.get("migrate") != wanted:
        _fail(
            workspace,
            "starts-too-early",
            asked="what the monolith waits for",
            got=", ".join(f"{name}: {condition}" for name, condition in waits.items()),
            expected=f"migrate: {wanted}",
            file=COMPOSE,
            sign="depends_on: [" if "migrate" not in waits else "  monolith:",
            why=(
                "A database that has started accepts no connection yet, and has no tables. migrate"
                " waits until it is healthy, and makes them."
            ),
        )


def _check_policies(service: Mapping[str, Any], workspace: Workspace) -> None:
    if service.get("restart", "no") == "no":
        _fail(
            workspace,
            "not-restarted",
            asked="the restart policy",
            got=str(service.get("restart", "none, so no")),
            expected="unless-stopped",
            file=COMPOSE,
            sign="  monolith:",
            why="A process that dies at night stays dead until someone looks.",
        )
    if not service.get("read_only") or service.get("cap_drop") != ["ALL"]:
        _fail(
            workspace,
            "too-many-rights",
            asked="the rights of the container",
            got=f"read-only: {service.get('read_only', False)}, dropped: {service.get('cap_drop')}",
            expected="read-only: True, dropped: ['ALL']",
            file=COMPOSE,
            sign="  monolith:",
            why="The forum writes to its database, and to no file of its own.",
        )
    grace = _seconds(str(service.get("stop_grace_period", "10s")))
    needed = float(service["environment"].get("DRAIN_SECONDS", 10)) + _LAST_REQUESTS
    if grace <= needed:
        _fail(
            workspace,
            "killed-early",
            asked="the stop grace period",
            got=f"{grace:g} s",
            expected=f"more than {needed:g} s",
            file=COMPOSE,
            sign="  monolith:",
            why=(
                "The container serves for DRAIN_SECONDS, and has up to 8 s for what is left. Then"
                " the engine kills it, with the requests that it still has."
            ),
            page=CALLS_PAGE,
        )


def _seconds(duration: str) -> float:
    """Return the seconds of a duration such as `1m30s`."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    return sum(
        float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([hms])", duration)
    )


def _run_service(workspace: Workspace, settings: Mapping[str, str]) -> None:
    """Run the monolith and what it waits for, in a project with images of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        context = containers.copy_files(workspace, folder / "context")
        image = stack.enter_context(containers.build_image(context, DOCKERFILE))
        tools = stack.enter_context(
            containers.build_image(context, "infra/Dockerfile", target="tools")
        )
        own = {"setup": tools, "migrate": image, "monolith": image}
        override = {name: {"image": each, "pull_policy": "never"} for name, each in own.items()}
        (folder / "images.json").write_text(json.dumps({"services": override}), encoding="utf-8")
        files = [context / COMPOSE, folder / "images.json"]
        project = stack.enter_context(containers.compose_project(files, settings))
        command = containers.compose_command(project, files)
        up = ("up", "--detach", "--wait", "--no-build", "monolith")
        done = containers.run_docker(*command, *up, seconds=_UP_SECONDS, environment=settings)
        if done.returncode:
            logs = containers.run_docker(
                *command, "logs", "--no-color", "--tail", "20", "monolith", environment=settings
            )
            _fail(
                workspace,
                "not-healthy",
                asked="docker compose up --wait monolith",
                got=last_lines(done.stderr + logs.stdout)[-500:],
                expected="a healthy container",
                file=COMPOSE,
                sign="  monolith:",
                why="A service that does not start is no service.",
            )


def _fail(
    workspace: Workspace,
    name: str,
    *,
    sign: str,
    file: str = DOCKERFILE,
    page: str = IMAGES_PAGE,
    **told: str,
) -> NoReturn:
    """Fail with a diagnosis, at the line of a file that contains a sign."""
    fail(name, where=workspace.find_line(file, sign), page=page, **told)


CHECKS = (check_image, check_process, check_service)
