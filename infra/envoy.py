"""Envoy's static configuration, rendered from the routes of a stage."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.envoy_http import TYPES, connection_manager, typed
from infra.envoy_replies import APPLICATION_LOG
from infra.routes import Routes

CONNECT_TIMEOUT = "1s"
# Below the 75 s after which gunicorn closes an idle connection, so that it is never the
# component that closes one while a request is on its way.
UPSTREAM_IDLE = "30s"
MAX_CONNECTIONS = 10_000


@dataclass(frozen=True)
class Address:
    """Where one instance of a component listens."""

    host: str
    port: int


@dataclass(frozen=True)
class Gateway:
    """What a gateway listens on, and where the components are.

    `admin_port` opens Envoy's admin interface on the loopback address; without it there is none.
    """

    routes: Routes
    addresses: Mapping[str, Sequence[Address]]
    listen: Address
    revision: str = "dev"
    admin_port: int | None = None


def render(gateway: Gateway) -> dict[str, Any]:
    """Give the whole configuration; the components it routes to must have addresses."""
    used = gateway.routes.components
    missing = [name for name in used if not gateway.addresses.get(name)]
    if missing:
        msg = f"no address is given for {', '.join(missing)}"
        raise ValueError(msg)
    configuration: dict[str, Any] = {
        "static_resources": {
            "listeners": [_listener(gateway)],
            "clusters": [_cluster(name, gateway.addresses[name]) for name in used],
        },
        "application_log_config": {"log_format": {"json_format": APPLICATION_LOG}},
        "overload_manager": {
            "resource_monitors": [
                typed(
                    "envoy.resource_monitors.global_downstream_max_connections",
                    "extensions.resource_monitors.downstream_connections.v3"
                    ".DownstreamConnectionsConfig",
                    max_active_downstream_connections=MAX_CONNECTIONS,
                )
            ]
        },
    }
    if gateway.admin_port is not None:
        admin = Address("127.0.0.1", gateway.admin_port)
        configuration["admin"] = {"address": _socket(admin)}
    return configuration


def _socket(address: Address) -> dict[str, Any]:
    return {"socket_address": {"address": address.host, "port_value": address.port}}


def _listener(gateway: Gateway) -> dict[str, Any]:
    return {
        "name": "http",
        "address": _socket(gateway.listen),
        # A second gateway on the same port has to fail, not to take a share of the requests.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": 32 * 1024,
        "filter_chains": [{"filters": [connection_manager(gateway.routes, gateway.revision)]}],
    }


def _cluster(name: str, addresses: Sequence[Address]) -> dict[str, Any]:
    literal = all(_is_ip(address.host) for address in addresses)
    endpoints = [{"endpoint": {"address": _socket(address)}} for address in addresses]
    return {
        "name": name,
        "type": "STATIC" if literal else "STRICT_DNS",
        "connect_timeout": CONNECT_TIMEOUT,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": TYPES + "extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": {}},
                "common_http_protocol_options": {"idle_timeout": UPSTREAM_IDLE},
            }
        },
    }


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
