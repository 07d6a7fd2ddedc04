"""Envoy's static configuration, rendered from the routes of a stage."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.gateway.http_manager import ROUTES, TYPES, connection_manager, route_configuration, typed
from infra.gateway.local_replies import application_log
from infra.gateway.routes import Routes

CONNECT_TIMEOUT = "1s"
DNS_REFRESH = "1s"
# Below the 75 s after which gunicorn closes an idle connection, so that the component never
# closes one while a request is on its way.
UPSTREAM_IDLE = "30s"
MAX_CONNECTIONS = 10_000
MAX_RETRIES = 1_000  # concurrently, to one component
READY_PATH = "/readyz"
OVERPROVISIONING_PERCENT = 100_000  # percent: one healthy instance in a thousand is enough


@dataclass(frozen=True)
class Address:
    """The address of one instance of a component."""

    host: str
    port: int


@dataclass(frozen=True)
class GatewayConfig:
    """The gateway's ports, and the addresses of the components.

    `admin_port` opens Envoy's admin interface on the loopback address; without it there is none.
    With a `routes_file`, Envoy reads the routes from there, again whenever the file is replaced,
    so that domains can move while it runs.
    """

    routes: Routes
    addresses: Mapping[str, Sequence[Address]]
    listen: Address
    revision: str = "dev"
    admin_port: int | None = None
    routes_file: Path | None = None
    log_format: str = "json"


def render(gateway: GatewayConfig) -> dict[str, Any]:
    """Return the whole configuration; the components it routes to must have addresses."""
    routed = gateway.routes.components
    used = routed if gateway.routes_file is None else tuple(gateway.addresses)
    missing = [name for name in routed if not gateway.addresses.get(name)]
    if missing:
        msg = f"no address is given for {', '.join(missing)}"
        raise ValueError(msg)
    configuration: dict[str, Any] = {
        "static_resources": {
            "listeners": [_listener(gateway)],
            "clusters": [_cluster(name, gateway.addresses[name]) for name in used],
        },
        "application_log_config": {"log_format": application_log(gateway.log_format)},
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
    if gateway.routes_file is not None:
        # Envoy requires a node id as soon as it reads anything outside of its configuration.
        configuration["node"] = {"id": "gateway", "cluster": "forum"}
    if gateway.admin_port is not None:
        admin = Address("127.0.0.1", gateway.admin_port)
        configuration["admin"] = {"address": socket_address(admin)}
    return configuration


def socket_address(address: Address) -> dict[str, Any]:
    """Return an address in Envoy's format."""
    return {"socket_address": {"address": address.host, "port_value": address.port}}


def _listener(gateway: GatewayConfig) -> dict[str, Any]:
    return {
        "name": "http",
        "address": socket_address(gateway.listen),
        # A second gateway on the same port must fail instead of sharing the requests.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": 32 * 1024,
        "filter_chains": [
            {"filters": [connection_manager(*_route_source(gateway), gateway.log_format)]}
        ],
    }


def _route_source(gateway: GatewayConfig) -> tuple[dict[str, Any], str]:
    if gateway.routes_file is None:
        return {"route_config": route_configuration(gateway.routes)}, gateway.revision
    source = {
        "resource_api_version": "V3",
        "path_config_source": {
            "path": str(gateway.routes_file),
            "watched_directory": {"path": str(gateway.routes_file.parent)},
        },
    }
    return {"rds": {"route_config_name": ROUTES, "config_source": source}}, gateway.revision


def _cluster(name: str, addresses: Sequence[Address]) -> dict[str, Any]:
    literal = all(_is_ip(address.host) for address in addresses)
    endpoints = [{"endpoint": {"address": socket_address(address)}} for address in addresses]
    return {
        "name": name,
        **({"type": "STATIC"} if literal else {"cluster_type": _dns_cluster()}),
        # An instance without a DNS record has stopped and needs no health check.
        "ignore_health_on_host_removal": True,
        "connect_timeout": CONNECT_TIMEOUT,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": endpoints}],
            # One healthy instance gets all requests; a degraded one beside it gets none.
            "policy": {"overprovisioning_factor": OVERPROVISIONING_PERCENT},
        },
        "health_checks": [_health_check()],
        # A request is retried twice at most. By default, only three retries may be active in
        # total: with an instance down, the fourth reader would get its error.
        "circuit_breakers": {"thresholds": [{"max_retries": MAX_RETRIES}]},
        "common_lb_config": {
            "healthy_panic_threshold": {"value": 0},
            # By default, changes within a second of another change are delayed until its end: an
            # instance that was briefly down would get its first request a second late.
            "update_merge_window": "0s",
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": TYPES + "extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": {}},
                "common_http_protocol_options": {"idle_timeout": UPSTREAM_IDLE},
            }
        },
    }


def _dns_cluster() -> dict[str, Any]:
    """Return the cluster of a DNS name, resolved repeatedly; each address is an instance."""
    return typed(
        "envoy.clusters.dns",
        "extensions.clusters.dns.v3.DnsCluster",
        dns_refresh_rate=DNS_REFRESH,
        dns_failure_refresh_rate={"base_interval": DNS_REFRESH, "max_interval": DNS_REFRESH},
        dns_lookup_family="V4_PREFERRED",
    )


def _health_check() -> dict[str, Any]:
    """Return the readiness check of each instance.

    An instance that returns a 503 is not ready or about to stop, and sends `x-envoy-degraded`
    with it: it gets requests only while no other one is healthy. So a single instance still gets
    requests: it may be able to serve some, and its own errors are the most precise. An instance
    that does not respond gets no requests; without another one, a request gets a 503 at once
    instead of after 15 s.
    """
    return {
        "interval": "1s",
        "interval_jitter": "0.2s",
        # An overloaded instance (300 concurrent requests to 16 threads) responded after up to
        # 1.2 s, and one with 50 passwords to hash on a busy machine not within 4 s. Counting a
        # single timeout would turn a slow moment into an outage; a hung one is detected after 9 s.
        "timeout": "3s",
        # Number of timeouts or failed connections; a 503 counts at once.
        "unhealthy_threshold": 3,
        "healthy_threshold": 1,
        # An unreachable instance is checked more often, including one that was down when the
        # gateway started.
        "unhealthy_interval": "0.25s",
        "no_traffic_interval": "0.25s",
        "no_traffic_healthy_interval": "1s",
        "http_health_check": {
            "path": READY_PATH,
            "expected_statuses": [{"start": 200, "end": 201}, {"start": 503, "end": 504}],
        },
    }


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
