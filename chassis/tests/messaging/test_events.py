"""Events: round trips, and rejection of malformed ones with a reason."""

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime

from chassis.messaging.events import (
    MAX_BYTES,
    Event,
    EventData,
    MalformedEvent,
    parse_data,
    parse_event,
)
from tests.support.bus import make_event

NOW = datetime(2026, 1, 31, 12, 0, 0, 123_000, tzinfo=UTC)
EVENT = Event("e1", "note.created", "/notes", "n1", 3, NOW, {"text": "Grüße", "by": None})
WRITTEN = json.loads(EVENT.to_json())
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
TAKEN_BY_SQS = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


class Note(EventData):
    text: str
    by: str | None
    at: AwareDatetime | None = None


def test_event_is_a_cloud_event_with_its_version():
    assert WRITTEN == {
        "specversion": "1.0",
        "id": "e1",
        "source": "/notes",
        "type": "note.created",
        "subject": "n1",
        "version": 3,
        "time": "2026-01-31T12:00:00.123Z",
        "datacontenttype": "application/json",
        "data": {"text": "Grüße", "by": None},
    }
    assert parse_event(EVENT.to_json()) == EVENT


@given(st.text())
def test_any_text_survives_and_is_accepted_by_sqs(text):
    event = Event("e1", "note.created", "/notes", "n1", 1, NOW, {text: [{"text": text}]})
    written = event.to_json()
    assert TAKEN_BY_SQS.fullmatch(written)
    assert parse_event(written) == event


def test_text_is_not_escaped_to_more_bytes():
    assert len(make_event(text="語" * 1000).to_json().encode()) < 3_500


def test_unpublishable_data_is_refused():
    room = MAX_BYTES - len(make_event(text="").to_json())
    assert len(make_event(text="x" * room).to_json()) == MAX_BYTES
    for data in ("x" * (room + 1), float("nan"), "\ud800"):
        with pytest.raises(ValueError):  # noqa: PT011
            make_event(text=data).to_json()


def test_attributes_that_are_not_known_are_ignored():
    assert parse_event(json.dumps(WRITTEN | {"traceparent": "00-1", "more": {}})) == EVENT


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "subject", "version"])
def test_event_without_one_of_its_attributes_is_malformed(name):
    rest = {key: value for key, value in WRITTEN.items() if key != name}
    with pytest.raises(MalformedEvent, match=f"^{name}: Field required$"):
        parse_event(json.dumps(rest))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"specversion": "0.3"}, "specversion: "),
        ({"id": ""}, "id: "),
        ({"id": "x" * 65}, "id: "),
        ({"subject": 7}, "subject: "),
        ({"version": 0}, "version: "),
        ({"version": True}, "version: "),
        ({"version": "1"}, "version: "),
        ({"version": 10**40}, "version: "),
        ({"time": 1767225600}, "time: "),
        ({"time": "2026-01-31T12:00:00"}, "time: .*timezone"),
        ({"time": "yesterday"}, "time: "),
        ({"data": None}, "data: "),
        ({"data": []}, "data: "),
        ({"id": None, "data": None}, "id: .*; data: "),
    ],
)
def test_attribute_of_another_kind_is_malformed(changed, reason):
    with pytest.raises(MalformedEvent, match=f"^{reason}"):
        parse_event(json.dumps(WRITTEN | changed))


@pytest.mark.parametrize(
    "text",
    ["", "x", "[]", "7", "null", '"', "{", "[" * 100_000, '{"a":' * 5_000, '{"id":"\\ud800"}'],
)
def test_text_without_a_json_object_is_malformed(text):
    with pytest.raises(MalformedEvent, match=r"."):
        parse_event(text)


def test_reason_repeats_nothing_of_the_message():
    with pytest.raises(MalformedEvent) as malformed:
        parse_event(json.dumps(WRITTEN | {"version": "secret", "data": "secret"}))
    assert "secret" not in str(malformed.value)


def test_consumer_parses_the_fields_it_needs():
    event = make_event(text="x", by=None, at="2026-01-31T12:00:00.123Z", more=1)
    assert parse_data(Note, event) == Note(text="x", by=None, at=NOW)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"by": None}, "text: Field required"),
        ({"text": 7, "by": None}, "text: .*string"),
        ({"text": "x", "by": None, "at": 7}, "at: .*datetime"),
    ],
)
def test_missing_or_wrong_data_is_malformed(data, reason):
    with pytest.raises(MalformedEvent, match=f"^{reason}"):
        parse_data(Note, make_event(**data))
