"""Definitions of the domains: both sides declare the same, and nothing is declared by halves."""

from itertools import chain

import pytest

import forum.domains
from infra import stages
from infra.domains import SERVICES
from tests.support import schemas

MONOLITH = {domain.name: domain for domain in forum.domains.DOMAINS}
OWNED = {name: set(domain.event_types) for name, domain in SERVICES.items()}
CONFIRMATIONS = set(chain(*(domain.acknowledged_event_types for domain in SERVICES.values())))


def test_both_sides_define_the_same_domains_in_the_same_order() -> None:
    assert tuple(SERVICES) == forum.domains.NAMES == stages.DOMAINS
    assert all(domain.name == name for name, domain in SERVICES.items())
    assert len({domain.port for domain in SERVICES.values()}) == len(SERVICES)


@pytest.mark.parametrize("name", stages.DOMAINS)
def test_both_sides_declare_the_same_events(name: str) -> None:
    assert set(MONOLITH[name].event_types) == OWNED[name]
    assert MONOLITH[name].label == SERVICES[name].label


@pytest.mark.parametrize("name", stages.DOMAINS)
def test_events_are_declared_if_and_only_if_they_have_a_schema(name: str) -> None:
    declared = OWNED[name] | set(MONOLITH[name].acknowledgement_types)
    assert declared == set(schemas.kinds(name))


def test_each_event_belongs_to_one_domain() -> None:
    everything = list(chain(*OWNED.values()))
    assert len(everything) == len(set(everything))
    assert not CONFIRMATIONS & set(everything)
    assert {kind for kind, name in forum.domains.DOMAIN_OF_EVENT_TYPE.items() if name} == set(
        everything
    )


@pytest.mark.parametrize("name", stages.DOMAINS)
def test_replica_is_fed_by_every_event_of_its_domain(name: str) -> None:
    service = SERVICES[name]
    consumed = set(service.consumed_event_types)
    for owner in service.replicas:
        assert consumed >= OWNED[owner], "an extraction copies what this queue would miss"
    assert consumed <= set(chain(*OWNED.values())) | CONFIRMATIONS


@pytest.mark.parametrize("extracted", stages.all_stages(), ids=stages.stage_name)
def test_monolith_consumes_every_event_of_extracted_domains(extracted: frozenset[str]) -> None:
    consumed = set(forum.domains.subscription(extracted).event_types)
    assert consumed - CONFIRMATIONS == set(chain(*(OWNED[name] for name in extracted)))
    moving = frozenset(stages.DOMAINS) - extracted
    everything = set(chain(*OWNED.values()))
    assert set(forum.domains.subscription(extracted, moving).event_types) >= everything
