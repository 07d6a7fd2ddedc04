"""Fault injection between components, for tests: an Envoy in front of each upstream.

`render` returns the configuration of a second Envoy with one listener per upstream: components,
datastore and bus. `FaultInjector` switches faults of a running one by its admin interface:

- abort: a share of the requests gets an error, and never arrives;
- delay: a share of the requests arrives later;
- drop: every connection is closed at once, without a response;
- throttle: a share of the requests is refused like DynamoDB's throttling.
"""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from infra.gateway.configuration import CONNECT_TIMEOUT, Address, socket_address
from infra.gateway.http_manager import TYPES, typed
from infra.gateway.local_replies import local_replies

DATASTORE, BUS = "dynamodb", "bus"
THROTTLED = 400
_THROTTLING = {
    "__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    "message": "The level of configured provisioned throughput for the table was exceeded.",
}


@dataclass(frozen=True)
class ProxiedUpstream:
    """An upstream behind the proxy: the address for callers, and its own address."""

    listen: Address
    upstream: Address


def render(lines: Mapping[str, ProxiedUpstream], admin: Address) -> dict[str, Any]:
    """Return the configuration; without faults every listener only forwards."""
    return {
        "admin": {"address": socket_address(admin)},
        "static_resources": {
            "listeners": [_listener(name, line) for name, line in lines.items()],
            "clusters": [_cluster(name, line) for name, line in lines.items()],
        },
        "layered_runtime": {"layers": [{"name": "admin", "admin_layer": {}}]},
    }


class FaultInjector:
    """Switch of a running Envoy's faults; each lasts for its block. Percentages are 0 to 100."""

    def __init__(self, admin: Address) -> None:
        self._admin = admin

    @contextmanager
    def abort(self, name: str, status: int = 503, percent: int = 100) -> Iterator[None]:
        """Return an error with this status for a share of an upstream's requests."""
        keys = {"abort_percent": percent, "abort_status": status}
        with self._set({_key(name, key): str(value) for key, value in keys.items()}):
            yield

    @contextmanager
    def delay(self, name: str, seconds: float, percent: int = 100) -> Iterator[None]:
        """Delay a share of an upstream's requests by some seconds."""
        keys = {"delay_percent": percent, "delay_milliseconds": round(seconds * 1000)}
        with self._set({_key(name, key): str(value) for key, value in keys.items()}):
            yield

    @contextmanager
    def throttle(self, percent: int = 100) -> Iterator[None]:
        """Throttle a share of the datastore's requests."""
        with self.abort(DATASTORE, THROTTLED, percent):
            yield

    @contextmanager
    def drop(self, name: str) -> Iterator[None]:
        """Close every connection to an upstream; requests in progress are finished."""
        with self._set({_connections(name): "0"}):
            yield

    @contextmanager
    def _set(self, values: Mapping[str, str]) -> Iterator[None]:
        self._modify(values)
        try:
            yield
        finally:
            # An empty value removes a key, so that the configured value applies again.
            self._modify(dict.fromkeys(values, ""))

    def _modify(self, values: Mapping[str, str]) -> None:
        connection = http.client.HTTPConnection(self._admin.host, self._admin.port, timeout=5)
        try:
            connection.request("POST", f"/runtime_modify?{urlencode(values)}")
            answer = connection.getresponse()
            if answer.status != 200:
                raise RuntimeError(answer.read().decode())
        finally:
            connection.close()


def _key(name: str, what: str) -> str:
    return f"faults.{name}.{what}"


def _connections(name: str) -> str:
    return f"envoy.resource_limits.listener.{name}.connection_limit"


def _listener(name: str, line: ProxiedUpstream) -> dict[str, Any]:
    manager = typed(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        # Forwarded requests are unchanged.
        generate_request_id=False,
        skip_xff_append=True,
        server_header_transformation="PASS_THROUGH",
        # One connection per request, so that a drop also affects callers with persistent ones.
        common_http_protocol_options={"max_requests_per_connection": 1},
        stream_idle_timeout="0s",
        http_filters=[
            _fault(name),
            typed(
                "envoy.filters.http.router",
                "extensions.filters.http.router.v3.Router",
                suppress_envoy_headers=True,
            ),
        ],
        local_reply_config=_aws() if name in {DATASTORE, BUS} else local_replies("faults"),
        route_config={
            "virtual_hosts": [
                {
                    "name": name,
                    "domains": ["*"],
                    "routes": [
                        {"match": {"prefix": "/"}, "route": {"cluster": name, "timeout": "0s"}}
                    ],
                }
            ]
        },
    )
    return {
        "name": name,
        "address": socket_address(line.listen),
        "enable_reuse_port": False,
        "filter_chains": [{"filters": [manager]}],
    }


def _fault(name: str) -> dict[str, Any]:
    never = {"numerator": 0, "denominator": "HUNDRED"}
    return typed(
        "envoy.filters.http.fault",
        "extensions.filters.http.fault.v3.HTTPFault",
        abort={"http_status": 503, "percentage": never},
        delay={"fixed_delay": "1s", "percentage": never},
        abort_percent_runtime=_key(name, "abort_percent"),
        abort_http_status_runtime=_key(name, "abort_status"),
        delay_percent_runtime=_key(name, "delay_percent"),
        delay_duration_runtime=_key(name, "delay_milliseconds"),
    )


def _aws() -> dict[str, Any]:
    """Return errors in AWS's format: JSON for refusals, HTML for failures."""
    value = {"default_value": THROTTLED, "runtime_key": "faults.throttled"}
    return {
        "mappers": [
            {
                "filter": {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}},
                "body_format_override": _text(
                    json.dumps(_THROTTLING), "application/x-amz-json-1.0"
                ),
            }
        ],
        "body_format": _text("<html>%LOCAL_REPLY_BODY%</html>", "text/html"),
    }


def _text(text: str, kind: str) -> dict[str, Any]:
    return {"text_format_source": {"inline_string": text}, "content_type": kind}


def _cluster(name: str, line: ProxiedUpstream) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": socket_address(line.upstream)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": CONNECT_TIMEOUT,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": TYPES + "extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": {}},
                # No persistent connections here either: an upstream may close one during a request.
                "common_http_protocol_options": {"max_requests_per_connection": 1},
            }
        },
    }
