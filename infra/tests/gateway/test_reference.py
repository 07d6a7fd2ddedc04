"""The configuration that is checked in for readers is the one that the renderer makes."""

import re

import yaml

from infra import stages
from infra.gateway import process
from infra.runner.config import ROOT
from infra.tools import gateway_reference


def test_reference_is_up_to_date() -> None:
    checked_in = gateway_reference.FILE.read_text(encoding="utf-8")
    assert checked_in == gateway_reference.reference(), f"run `{gateway_reference.COMMAND}`"


def test_reference_holds_the_rendered_configuration() -> None:
    assert yaml.safe_load(gateway_reference.reference()) == gateway_reference.configuration()


def test_reference_shows_every_component() -> None:
    clusters = gateway_reference.configuration()["static_resources"]["clusters"]
    assert [cluster["name"] for cluster in clusters] == [stages.MONOLITH, *stages.DOMAINS]


def test_reference_names_no_path_of_a_machine() -> None:
    text = gateway_reference.reference()
    assert str(ROOT) not in text
    assert not re.search(r"/(home|root|tmp|work|var)/", text)


def test_reference_is_valid_to_envoy() -> None:
    process.validate(gateway_reference.FILE)
