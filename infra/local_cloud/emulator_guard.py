"""Guard of the emulator that runs the offline deployment.

Its port serves two kinds of clients. Browsers reach the forum by the host of its load balancer, or
by `localhost`, which every program resolves. AWS clients, which are `make deploy-local` and the
tasks, reach the emulated AWS API by an address. MiniStack selects by the host as well, but only
after its administration and parts of its API, so a page could reset it by the load balancer's name.
Here the load balancer's hosts reach nothing but the load balancer, and everything else is guarded
as on the bus of local runs. So the forum's own pages have another origin than the API.

The emulator controls the container engine, so it offers no service that runs containers or code
with the emulator's own rights, such as Lambda, CodeBuild or EKS, neither by its API nor by a
template. ECS runs what Fargate would run (`fargate_limits`).
"""

import socket
from typing import Any
from urllib.parse import parse_qs

from ministack import app
from ministack.core import responses, router
from ministack.services import alb
from ministack.services.cloudformation import provisioners

from infra import guarded_ministack
from infra.guarded_ministack import Application, Guard
from infra.local_cloud import permissions
from infra.local_cloud.emulated import RESOURCE_TYPES, SERVICES

LOCALHOST = "localhost"


def install() -> None:
    """Guard MiniStack's application, and remove the services that nothing here needs."""
    for name in app.SERVICE_HANDLERS.keys() - SERVICES:
        del app.SERVICE_HANDLERS[name]
    for kind in provisioners._RESOURCE_HANDLERS.keys() - RESOURCE_TYPES:
        del provisioners._RESOURCE_HANDLERS[kind]
    app.app = protect(app.app)


def protect(application: Application) -> Application:
    """Return an application that serves load balancers' hosts, and guards all other requests."""
    # A task calls the emulator by its address.
    own_addresses = socket.gethostbyname_ex(socket.gethostname())[2]
    hosts = guarded_ministack.HOSTS.union(own_addresses) - {LOCALHOST}
    guarded = Guard(hosts, permissions.is_caller).protect(application)

    async def split(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and _is_load_balancer(guarded_ministack.read_headers(scope)):
            await serve_load_balancer(scope, receive, app._with_date_header(send))
        else:
            await guarded(scope, receive, send)

    return split


def _is_load_balancer(headers: dict[str, str]) -> bool:
    """Return whether a request is for a load balancer."""
    by_name: bool = app._is_potential_alb_request(headers.get("host", ""), "")
    return by_name or guarded_ministack.host_name(headers) == LOCALHOST


async def serve_load_balancer(scope: Any, receive: Any, send: Any) -> None:
    """Pass a request on to the load balancer whose host it names; refuse it if there is none."""
    headers = guarded_ministack.read_headers(scope)
    raw_query: str = scope["query_string"].decode("latin-1")
    query = parse_qs(raw_query, keep_blank_values=True)
    responses.set_request_client_ip((scope.get("client") or ("127.0.0.1",))[0])
    # Without a signature: the default account and region, which have the deployment's resources.
    responses.set_request_region(router.extract_region({}, {}))
    method: str = scope["method"]
    try:
        body = await app._read_request_body(receive, method, headers)
    except app._RequestBodyDisconnected:
        return
    except app._IncompleteRequestBody as incomplete:
        body = incomplete.body
    response = await app._handle_alb_request(
        *(_load_balancer_host(headers), scope["path"], method, headers, body, query, raw_query),
        scope["raw_path"].decode("ascii"),
    )
    if not await app._send_if_handled(send, response, receive):
        await guarded_ministack.refuse(send)


def _load_balancer_host(headers: dict[str, str]) -> str:
    """Return a host by which MiniStack selects a load balancer; `localhost` is the only one."""
    host = headers["host"]
    if guarded_ministack.host_name(headers) == LOCALHOST and len(alb._lbs) == 1:
        (balancer,) = alb._lbs.values()
        return host.replace(LOCALHOST, f"{balancer['LoadBalancerName']}.alb.{LOCALHOST}", 1)
    return host
