"""Write the gateway's configuration as a readable page: `python -m infra.tools.gateway_reference`.

Envoy never reads this file. It shows what the renderer makes of `routes.toml`, and a diff shows
what a change of either does to the gateway.
"""

import sys
import textwrap
from typing import Any

import yaml

from infra import stages
from infra.gateway import routes
from infra.gateway.configuration import Address, GatewayConfig, render
from infra.runner.config import GATEWAY, HOST, PORTS, ROOT

FILE = ROOT / "infra" / "gateway" / "envoy.full-split.yaml"
COMMAND = ".venv/bin/python -m infra.tools.gateway_reference"
WIDTH = 100
_INTRODUCTION = f"""\
Envoy's configuration with users, threads and posts extracted, on the ports of `make run`.

This file is for reading; Envoy does not use it. It is generated from infra/gateway by

  {COMMAND}

and a test compares the two. A running forum has the same configuration as JSON, with one
difference: `make run` keeps the part below `route_config` in a file of its own, so that a domain
can move while Envoy runs.
"""
COMMENTS = {
    "listeners:": "The port that browsers and API clients connect to.",
    "normalize_path: true": "One spelling of each path: what is matched is what is forwarded.",
    "use_remote_address: true": "The client's address is that of the connection, and"
    " no client is internal.",
    "generate_request_id: true": "Request IDs: one that a client sent is kept, if `http_filters`"
    " finds it valid.",
    "max_request_headers_kb: 32": "Limits of a request's size and time.",
    "access_log:": "One JSON line for each request, without query strings, cookies or credentials.",
    "local_reply_config:": "Responses of the gateway itself. The first match of `mappers`"
    " counts: an HTML page for browsers, then problem+json by cause, then problem+json by status.",
    "http_filters:": "The filters that each request passes, in this order.",
    "route_config:": "The routes, from infra/gateway/routes.toml. The first match counts. Reads"
    " (GET and HEAD) are retried on another instance; writes only if no connection was made.",
    "request_headers_to_add:": "As an ALB does, which cannot remove headers: it marks the"
    " requests of clients.",
    "- name: monolith-read": "Everything that no route above takes.",
    "clusters:": "The components.",
    "health_checks:": "A 503 with `x-envoy-degraded` means not ready: such an instance gets"
    " requests only while no other one is healthy. One that does not respond gets none.",
    "application_log_config:": "Envoy's own log, as JSON lines like those of the components.",
    "overload_manager:": "The maximum number of client connections.",
}
"""Comments, by the line above whose first occurrence they are placed."""


class _Dumper(yaml.SafeDumper):
    """Block style with indented lists, without anchors for equal parts."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists below their key."""
        del indentless
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write no anchors."""
        del data
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_text)


def main() -> int:
    """Write the file."""
    FILE.write_text(reference(), encoding="utf-8")
    return 0


def reference() -> str:
    """Return the commented configuration of the full split."""
    text = yaml.dump(
        configuration(),
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=WIDTH,
    )
    lines, comments = [_comment(_INTRODUCTION), ""], dict(COMMENTS)
    for line in text.splitlines():
        if comment := comments.pop(line.strip(), None):
            lines.append(_comment(comment, indent=len(line) - len(line.lstrip())))
        lines.append(line)
    if comments:
        msg = f"no line to comment on: {', '.join(comments)}"
        raise ValueError(msg)
    return "\n".join([*lines, ""])


def configuration() -> dict[str, Any]:
    """Render the full split as `make run` starts it, with the routes in the same document."""
    full_split = routes.load().at(stages.DOMAINS)
    addresses = {name: [Address(HOST, PORTS[name][1])] for name in full_split.components}
    return render(GatewayConfig(full_split, addresses, Address(HOST, PORTS[GATEWAY][1])))


def _comment(text: str, indent: int = 0) -> str:
    start = " " * indent + "#"
    lines: list[str] = []
    for line in text.splitlines():
        lines += textwrap.wrap(line, WIDTH - indent - 2) or [""]
    return "\n".join(f"{start} {line}".rstrip() for line in lines)


if __name__ == "__main__":
    sys.exit(main())
