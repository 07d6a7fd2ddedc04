"""The JSON Schemas of events, each in the folder of the service that owns it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from chassis.messaging.events import Event, parse_event

SERVICES = Path(__file__).parents[2] / "services"


@cache
def schema(kind: str) -> dict[str, Any]:
    """Read the schema of a type of event."""
    [path] = SERVICES.glob(f"*/events/{kind}.json")
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def kinds(service: str) -> list[str]:
    """Return the types of events whose schemas a service owns."""
    return sorted(path.stem for path in (SERVICES / service / "events").glob("*.json"))


def examples(kind: str) -> list[Event]:
    """Return the examples of a type of event, as a consumer reads them."""
    return [parse_event(json.dumps(example)) for example in schema(kind)["examples"]]


def validate(event: Event) -> None:
    """Check an event against the schema of its type, in the form in which it is published."""
    validator = Draft202012Validator(
        schema(event.type), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    validator.validate(json.loads(event.to_json()))
