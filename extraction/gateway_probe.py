"""Probe of a gateway: the component that serves each domain."""

import time
from collections.abc import Callable, Mapping

import urllib3

from extraction.deployment.port import DeploymentError
from infra import stages

ROUTE_SECONDS = 10  # seconds until the gateway has new routes


class GatewayProbe:
    """The gateway of a running forum, by its URL."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = urllib3.PoolManager(retries=False, timeout=5)

    def served_by(self, domains: frozenset[str]) -> Mapping[str, str]:
        """Return the component that serves each domain, or `nobody`."""
        return {domain: self._owner(domain) for domain in domains}

    def wait_until_routed(
        self, extracted: frozenset[str], changed: frozenset[str], write: Callable[[], None]
    ) -> None:
        """Write new routes, and wait until the gateway uses them.

        Raises:
            DeploymentError: it does not within ten seconds.
        """
        wanted = {name: name if name in extracted else stages.MONOLITH for name in changed}
        deadline, again = time.monotonic() + ROUTE_SECONDS, 0.0
        while True:
            if time.monotonic() > again:
                # Once a second: a gateway that has just started may have missed the first write.
                write()
                again = time.monotonic() + 1
            if self.served_by(changed) == wanted:
                return
            if time.monotonic() > deadline:
                msg = f"The gateway did not take its new routes within {ROUTE_SECONDS} seconds."
                raise DeploymentError(msg)
            time.sleep(0.01)

    def _owner(self, domain: str) -> str:
        try:
            answer = self._http.request("GET", f"{self._url}/api/{domain}/openapi.json")
        except urllib3.exceptions.HTTPError:
            return "nobody"
        return answer.headers.get("X-Served-By", "nobody").partition("/")[0]
