"""Checks of lab 5: who gets which path, at the gateway and at the load balancer."""

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping

from labs.gateway_probe import run_gateway
from labs.outcome import CheckNotRun, fail
from labs.tracebacks import fail_if_unwritten
from labs.workspace import Workspace, last_lines

GATEWAY = "infra/gateway/http_manager.py"
ROUTES = "infra/gateway/routes.toml"
RULES = "infra/cdk/constructs/listener_rules.py"
ROUTING_PAGE = "docs/adr/0002-routes.md"
CLOUD_PAGE = "docs/adr/0020-cloud.md"

_PRINT_RULES = """
import json
from infra.cdk.constructs.listener_rules import rules
print(json.dumps([[rule.priority, list(rule.patterns), rule.component] for rule in rules()]))
"""
_MOST_PRIORITY, _MOST_VALUES = 39_999, 5


def check_match(workspace: Workspace) -> None:
    """Check which paths the gateway sends to an extracted component."""
    where = workspace.find_line(GATEWAY, "def _match")
    try:
        with run_gateway(workspace, "threads") as gateway:
            _check_paths(gateway.find_component, "threads", "the gateway", where)
    except CheckNotRun as error:
        fail_if_unwritten(str(error), workspace.folder, ROUTING_PAGE)
        raise


def check_users_route(workspace: Workspace) -> None:
    """Check that users has a route of its own."""
    where = workspace.find_line(ROUTES, "/api/users")
    _require_toml(workspace, ROUTES)
    try:
        with run_gateway(workspace, "users") as gateway:
            _check_paths(gateway.find_component, "users", "the gateway", where)
            for path in ("/api/threads", "/api/posts", "/api"):
                _expect(gateway.find_component(path), path, "monolith", "the gateway", where)
    except CheckNotRun as error:
        _raise_if_no_route(str(error), where)
        raise


def _require_toml(workspace: Workspace, path: str) -> None:
    try:
        tomllib.loads((workspace.folder / path).read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        msg = f"{path} is not TOML: {error}"
        raise CheckNotRun(msg) from error


def check_listener_rules(workspace: Workspace) -> None:
    """Check that the load balancer's rules send each path where the gateway sends it."""
    where = workspace.find_line(RULES, "def rules")
    done = workspace.run("-c", _PRINT_RULES)
    if done.returncode:
        fail_if_unwritten(done.stderr, workspace.folder, ROUTING_PAGE)
        raise CheckNotRun(done.stderr)
    rules = [(int(each[0]), tuple(each[1]), str(each[2])) for each in json.loads(done.stdout)]
    _check_priorities([priority for priority, _, _ in rules], where)
    _check_values({component: patterns for _, patterns, component in rules}, where)

    def find(path: str) -> str:
        for _, patterns, component in sorted(rules):
            if any(matches_pattern(pattern, path) for pattern in patterns):
                return component
        return "monolith"

    for component in ("users", "threads", "posts"):
        _check_paths(find, component, "the load balancer", where)


def matches_pattern(pattern: str, path: str) -> bool:
    """Return whether an ALB's path pattern matches: `*` is any text, `?` one character."""
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(text, path, re.DOTALL) is not None


def _check_paths(find: Callable[[str], str], component: str, router: str, where: str) -> None:
    prefix = f"/api/{component}"
    _expect(find(prefix), prefix, component, router, where)
    for path in (f"{prefix}/", f"{prefix}/1", f"{prefix}/1/more"):
        _expect(find(path), path, component, router, where)
    for path in (f"{prefix}cript", f"{prefix}-old/1", "/", "/api", f"/other{prefix}"):
        _expect(find(path), path, "monolith", router, where)


def _expect(got: str, path: str, expected: str, router: str, where: str) -> None:
    if got == expected:
        return
    if expected == "monolith":
        name = "too-wide"
        why = (
            f"{path} is not a path of {got}. With such a rule, the service takes requests that it"
            " does not know, and its 404 hides what the monolith would have served."
        )
    elif path == f"/api/{expected}":
        name = "not-routed"
        why = "While no rule takes the path, the monolith goes on serving a domain that it gave up."
    else:
        name = "not-below"
        why = f"A single user, thread or post is below the prefix: {path} belongs to it, too."
    fail(
        name,
        asked=f"{router}, at the stage with {expected if expected != 'monolith' else got}"
        f" extracted, for {path}",
        got=got,
        expected=expected,
        where=where,
        why=why,
        page=ROUTING_PAGE,
    )


def _check_priorities(priorities: Iterable[int], where: str) -> None:
    given = list(priorities)
    if len(set(given)) == len(given) and all(1 <= each <= _MOST_PRIORITY for each in given):
        return
    fail(
        "priorities",
        asked="the priorities of the rules",
        got=", ".join(map(str, given)),
        expected=f"a different one for each rule, from 1 to {_MOST_PRIORITY}",
        where=where,
        why="A load balancer evaluates rules by priority and refuses two with the same one.",
        page=CLOUD_PAGE,
    )


def _check_values(patterns: Mapping[str, tuple[str, ...]], where: str) -> None:
    for component, values in patterns.items():
        if not 1 <= len(values) <= _MOST_VALUES:
            fail(
                "condition-values",
                asked=f"the patterns of {component}",
                got=f"{len(values)} values",
                expected=f"1 to {_MOST_VALUES}",
                where=where,
                why="A rule may have five condition values; CloudFormation refuses more.",
                page=CLOUD_PAGE,
            )


def _raise_if_no_route(output: str, where: str) -> None:
    if "can be extracted" in output:
        fail(
            "no-route",
            asked="the gateway of the stage EXTRACTED=users",
            got=last_lines(output),
            expected="a route whose component is users",
            where=where,
            why="routes.toml is the only place of routes; a domain without one can't leave.",
            page=ROUTING_PAGE,
        )
    if "starts with a slash and ends without" in output:
        fail(
            "prefix-form",
            asked="the prefixes in routes.toml",
            got=last_lines(output),
            expected='a prefix such as "/api/users"',
            where=where,
            why="A prefix takes the path itself and everything below it, so it needs no slash.",
            page=ROUTING_PAGE,
        )


CHECKS = (check_match, check_users_route, check_listener_rules)
