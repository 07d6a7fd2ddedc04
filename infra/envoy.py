"""Envoy's static configuration, rendered from the routes of a stage."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.envoy_replies import APPLICATION_LOG, access_log, local_replies
from infra.routes import Route, Routes

TYPES = "type.googleapis.com/envoy."
ROUTE_TIMEOUT = "15s"
CONNECT_TIMEOUT = "1s"
# Below the 75 s after which gunicorn closes an idle connection, so that it is never the
# component that closes one while a request is on its way.
UPSTREAM_IDLE = "30s"
MAX_BODY_BYTES = 1024 * 1024
MAX_HEADERS_KIB = 32
MAX_CONNECTIONS = 10_000
SANE_REQUEST_ID = "[A-Za-z0-9._-]{1,64}"
_NOBODY = {"address_prefix": "255.255.255.255", "prefix_len": 32}


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
                _typed(
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


def _typed(name: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": TYPES + kind, **fields}}


def _socket(address: Address) -> dict[str, Any]:
    return {"socket_address": {"address": address.host, "port_value": address.port}}


def _listener(gateway: Gateway) -> dict[str, Any]:
    return {
        "name": "http",
        "address": _socket(gateway.listen),
        # A second gateway on the same port has to fail, not to take a share of the requests.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": 32 * 1024,
        "filter_chains": [{"filters": [_connection_manager(gateway)]}],
    }


def _connection_manager(gateway: Gateway) -> dict[str, Any]:
    return _typed(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="http",
        # What is matched is what is forwarded: one spelling of a path, so that no other spelling
        # reaches a component that a route keeps it from.
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action="REJECT_REQUEST",
        # The client's address is the connection's, whatever X-Forwarded-For claims; and nobody
        # is internal, so that no client steers retries or timeouts by x-envoy- headers.
        use_remote_address=True,
        internal_address_config={"cidr_ranges": [_NOBODY]},
        server_header_transformation="PASS_THROUGH",
        **_request_id(),
        **_limits(),
        access_log=[access_log()],
        local_reply_config=local_replies(gateway.revision),
        http_filters=[
            _replace_odd_request_id(),
            # Whole requests reach a component, so that a slow sender holds none of its threads.
            _typed(
                "envoy.filters.http.buffer",
                "extensions.filters.http.buffer.v3.Buffer",
                max_request_bytes=MAX_BODY_BYTES,
            ),
            _typed(
                "envoy.filters.http.router",
                "extensions.filters.http.router.v3.Router",
                suppress_envoy_headers=True,
            ),
        ],
        route_config={
            "response_headers_to_remove": ["server"],
            "virtual_hosts": [
                {"name": "forum", "domains": ["*"], "routes": _routes(gateway.routes)}
            ],
        },
    )


def _request_id() -> dict[str, Any]:
    return {
        "generate_request_id": True,
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        "request_id_extension": {
            "typed_config": {
                "@type": TYPES + "extensions.request_id.uuid.v3.UuidRequestIdConfig",
                # Otherwise Envoy changes a digit of the id that a client sent.
                "pack_trace_reason": False,
            }
        },
    }


def _limits() -> dict[str, Any]:
    return {
        "max_request_headers_kb": MAX_HEADERS_KIB,
        "request_headers_timeout": "10s",
        "request_timeout": "30s",
        "stream_idle_timeout": "60s",
        "common_http_protocol_options": {
            "idle_timeout": "75s",
            "max_headers_count": 100,
            "headers_with_underscores_action": "DROP_HEADER",
        },
    }


def _replace_odd_request_id() -> dict[str, Any]:
    """Give a new id to a request whose own would not fit into logs and headers."""
    header = _typed(
        "request-id", "type.matcher.v3.HttpRequestHeaderMatchInput", header_name="x-request-id"
    )
    regex = {"google_re2": {}, "regex": SANE_REQUEST_ID}
    sane = {"input": header, "value_match": {"safe_regex": regex}}
    keep = _typed("keep", "extensions.filters.common.matcher.action.v3.SkipFilter")
    replacement = {
        "header": {"key": "x-request-id", "value": "%UNIQUE_ID%"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
    return _typed(
        "request-id",
        "extensions.common.matching.v3.ExtensionWithMatcher",
        xds_matcher={
            "matcher_list": {
                "matchers": [
                    {"predicate": {"single_predicate": sane}, "on_match": {"action": keep}}
                ]
            }
        },
        extension_config=_typed(
            "envoy.filters.http.header_mutation",
            "extensions.filters.http.header_mutation.v3.HeaderMutation",
            mutations={"request_mutations": [{"append": replacement}]},
        ),
    )


def _routes(routes: Routes) -> list[dict[str, Any]]:
    rendered = [entry for route in routes.routes for entry in _pair(_match(route), route.component)]
    return [*rendered, *_pair({"prefix": "/"}, routes.default)]


def _match(route: Route) -> dict[str, Any]:
    return {"path_separated_prefix": route.prefix}


def _pair(match: dict[str, Any], cluster: str) -> list[dict[str, Any]]:
    """Retry what only reads; a write goes to a component once."""
    action = {"cluster": cluster, "timeout": ROUTE_TIMEOUT}
    reads = {
        "name": ":method",
        "string_match": {"safe_regex": {"regex": "GET|HEAD"}},
    }
    retries = {"retry_on": "connect-failure,reset", "num_retries": 2}
    return [
        {
            "name": f"{cluster}-read",
            "match": {**match, "headers": [reads]},
            "route": {**action, "retry_policy": retries},
        },
        {"name": f"{cluster}-write", "match": match, "route": action},
    ]


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
