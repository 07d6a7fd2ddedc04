"""The components that derive entries from records: claims of names, search words, locations."""

from chassis.ownership.index_check import IndexCheck
from extraction.endpoints import Endpoints
from forum.domains import DOMAINS
from infra.domains import SERVICES
from infra.stages import MONOLITH


def find_index_checks(
    endpoints: Endpoints, domain: str, extracted: frozenset[str]
) -> list[tuple[str, IndexCheck]]:
    """Return the components with derived entries of a domain at a stage, and their checks."""
    found: list[tuple[str, IndexCheck]] = []
    if domain in extracted:
        found.append((domain, SERVICES[domain].index_check(endpoints.dynamo)))
    [rows] = (one for one in DOMAINS if one.name == domain)
    if rows.index_check and (domain not in extracted or rows.replica_has_index):
        found.append((MONOLITH, rows.index_check(endpoints.sql)))
    return found
