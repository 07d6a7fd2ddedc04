"""The HTTP side of Envoy's configuration: paths, request ids, limits, routes and retries."""

from typing import Any

from infra.gateway.local_replies import access_log, local_replies
from infra.gateway.routes import Route, Routes

TYPES = "type.googleapis.com/envoy."
ROUTES = "forum"
# Longer than the components' 10 s for a request, so that their response is used.
ROUTE_TIMEOUT = "15s"
DEADLINE_HEADER = "x-request-deadline-ms"
FORWARDED_PORT_HEADER = "x-forwarded-port"
MAX_BODY_BYTES = 1024 * 1024
MAX_HEADERS_KIB = 32
VALID_REQUEST_ID = "[A-Za-z0-9._-]{1,64}"
_NO_INTERNAL_ADDRESS = {"address_prefix": "255.255.255.255", "prefix_len": 32}


def typed(name: str, kind: str, **fields: Any) -> dict[str, Any]:
    """Return one of Envoy's extensions with its configuration."""
    return {"name": name, "typed_config": {"@type": TYPES + kind, **fields}}


def connection_manager(routes: dict[str, Any], revision: str, log_format: str) -> dict[str, Any]:
    """Return the filter that parses requests and routes them.

    `routes` is the source of the routes: `route_config` or `rds`.
    """
    return typed(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="http",
        # The matched path is the forwarded path, in one normalized form, so that no other form
        # bypasses a route.
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action="REJECT_REQUEST",
        # The client's address is the connection's, not that in X-Forwarded-For; and no request
        # is internal, so that no client controls retries or timeouts by x-envoy- headers.
        use_remote_address=True,
        internal_address_config={"cidr_ranges": [_NO_INTERNAL_ADDRESS]},
        server_header_transformation="PASS_THROUGH",
        **_request_id(),
        **_limits(),
        access_log=[access_log(log_format)],
        local_reply_config=local_replies(revision),
        http_filters=[
            _replace_invalid_request_id(),
            # Only complete requests reach a component, so that a slow sender occupies no thread.
            typed(
                "envoy.filters.http.buffer",
                "extensions.filters.http.buffer.v3.Buffer",
                max_request_bytes=MAX_BODY_BYTES,
            ),
            typed(
                "envoy.filters.http.router",
                "extensions.filters.http.router.v3.Router",
                suppress_envoy_headers=True,
            ),
        ],
        **routes,
    )


def route_configuration(routes: Routes) -> dict[str, Any]:
    """Return the routes of a stage."""
    return {
        "name": ROUTES,
        "response_headers_to_remove": ["server"],
        # Internal header: clients must not set a request's deadline.
        "request_headers_to_remove": [DEADLINE_HEADER],
        # As an ALB does, which cannot remove headers: it marks the requests of clients.
        "request_headers_to_add": [
            {
                "header": {"key": FORWARDED_PORT_HEADER, "value": "%DOWNSTREAM_LOCAL_PORT%"},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ],
        "virtual_hosts": [{"name": "forum", "domains": ["*"], "routes": _routes(routes)}],
    }


def route_discovery(routes: Routes) -> dict[str, Any]:
    """Return the routes of a stage in the format of the file that Envoy watches."""
    kind = TYPES + "config.route.v3.RouteConfiguration"
    return {"resources": [{"@type": kind, **route_configuration(routes)}]}


def _request_id() -> dict[str, Any]:
    return {
        "generate_request_id": True,
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        "request_id_extension": {
            "typed_config": {
                "@type": TYPES + "extensions.request_id.uuid.v3.UuidRequestIdConfig",
                # Otherwise Envoy changes a digit of the client's request id.
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
        # For simple programs; a request may lack the Host header.
        "http_protocol_options": {
            "accept_http_10": True,
            "default_host_for_http_10": "localhost",
        },
        "common_http_protocol_options": {
            "idle_timeout": "75s",
            "max_headers_count": 100,
            "headers_with_underscores_action": "DROP_HEADER",
        },
    }


def _replace_invalid_request_id() -> dict[str, Any]:
    """Replace a request id that is invalid in logs and headers."""
    header = typed(
        "request-id", "type.matcher.v3.HttpRequestHeaderMatchInput", header_name="x-request-id"
    )
    regex = {"google_re2": {}, "regex": VALID_REQUEST_ID}
    sane = {"input": header, "value_match": {"safe_regex": regex}}
    keep = typed("keep", "extensions.filters.common.matcher.action.v3.SkipFilter")
    replacement = {
        "header": {"key": "x-request-id", "value": "%UNIQUE_ID%"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
    return typed(
        "request-id",
        "extensions.common.matching.v3.ExtensionWithMatcher",
        xds_matcher={
            "matcher_list": {
                "matchers": [
                    {"predicate": {"single_predicate": sane}, "on_match": {"action": keep}}
                ]
            }
        },
        extension_config=typed(
            "envoy.filters.http.header_mutation",
            "extensions.filters.http.header_mutation.v3.HeaderMutation",
            mutations={"request_mutations": [{"append": replacement}]},
        ),
    )


def _routes(routes: Routes) -> list[dict[str, Any]]:
    rendered = [
        entry
        for route in routes.routes
        for entry in _read_and_write_routes(_match(route), route.component)
    ]
    return [*rendered, *_read_and_write_routes({"prefix": "/"}, routes.default)]


def _match(route: Route) -> dict[str, Any]:
    return {"path_separated_prefix": route.prefix}


def _read_and_write_routes(match: dict[str, Any], cluster: str) -> list[dict[str, Any]]:
    """Return routes that retry reads, but send a write to a component only once.

    A write is sent to another instance only if no connection was established.
    """
    action = {"cluster": cluster, "timeout": ROUTE_TIMEOUT}
    reads = {
        "name": ":method",
        "string_match": {"safe_regex": {"regex": "GET|HEAD"}},
    }
    return [
        {
            "name": f"{cluster}-read",
            "match": {**match, "headers": [reads]},
            "route": {**action, "retry_policy": _retry_policy("connect-failure,reset")},
        },
        {
            "name": f"{cluster}-write",
            "match": match,
            "route": {**action, "retry_policy": _retry_policy("connect-failure")},
        },
    ]


def _retry_policy(reasons: str) -> dict[str, Any]:
    """Return the policy of retries, on another instance if there is one."""
    others = typed(
        "envoy.retry_host_predicates.previous_hosts",
        "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
    )
    return {
        "retry_on": reasons,
        "num_retries": 2,
        "retry_host_predicate": [others],
        "host_selection_retry_max_attempts": 5,
    }
