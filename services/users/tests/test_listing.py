"""The list of people: its order, its pages and what it costs."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pytest

from chassis.clock import uuid7
from services.users.tests.conftest import PASSWORD
from tests.support.dynamo import evenly_sharded_id
from tests.support.people import SECRET_KEY
from tests.support.service import pages, walk
from users.bootstrap import UsersService
from users.dynamodb import items
from users.dynamodb.tables import TABLES, USERS
from users.model import User
from users.ports import Account
from users.settings import UsersSettings

PATH = "/api/users"
SOMEBODY = User(
    id="",
    username="",
    display_name="Somebody",
    bio="",
    role="member",
    suspended=False,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    version=1,
)


@pytest.fixture(scope="session")
def crowds(dynamo, session_keys):
    """Return a factory of services with a number of people and their ids, cached by number."""

    @cache
    def crowd(count):
        settings = UsersSettings(
            secret_key=SECRET_KEY,
            session_public_keys=session_keys.public,
            session_private_key=session_keys.private,
            table_prefix=dynamo.provision(TABLES),
        )
        people = [
            replace(SOMEBODY, id=evenly_sharded_id(number), username=f"person-{number}")
            for number in range(count)
        ]
        dynamo.fill(
            settings.table_prefix + USERS.name,
            (items.to_item(Account(person, "none")) for person in people),
        )
        return UsersService(settings).create_app().test_client(), [person.id for person in people]

    return crowd


@pytest.mark.parametrize(("count", "limit"), [(100, 1), (100, 7), (100, 100), (1_000, 100)])
def test_walking_the_list_gives_each_user_once_newest_first(crowds, count, limit):
    client, ids = crowds(count)
    assert [user["id"] for user in walk(client, PATH, limit=limit)] == ids[::-1]


@pytest.mark.parametrize("limit", [1, 20, 100])
@pytest.mark.parametrize("count", [100, 1_000])
def test_cost_of_a_page_is_independent_of_the_number_of_users(crowds, dynamo, count, limit):
    client, _ = crowds(count)
    with dynamo.counted() as calls:
        first = client.get(PATH, query_string={"limit": limit})
    assert len(first.json["items"]) == limit
    assert calls == {"Query": 4}
    assert (first.json["next"] is None) == (count == limit)
    if first.json["next"]:
        with dynamo.counted() as calls:
            client.get(PATH, query_string={"limit": limit, "cursor": first.json["next"]})
        assert calls == {"Query": 4}


def test_arrivals_during_a_walk_disturb_nothing(client, join):
    made = [join(f"early-{number}").id for number in range(8)]
    walked = []
    for page in pages(client, PATH, limit=3):
        walked += [user["id"] for user in page]
        new = {"username": f"late-{len(walked)}", "password": PASSWORD}
        assert client.post(PATH, json=new).status_code == 201
    assert walked == made[::-1]


def test_tampered_cursor_is_refused(crowds):
    client, _ = crowds(100)
    cursor = client.get(PATH, query_string={"limit": 1}).json["next"]
    for bad in (cursor[:-1] + ("A" if cursor[-1] != "A" else "B"), "x", cursor + "x", uuid7()):
        answer = client.get(PATH, query_string={"cursor": bad})
        assert answer.status_code == 400
        assert [error["field"] for error in answer.json["errors"]] == ["cursor"]


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "101"}, {"page": "2"}])
def test_invalid_query_is_refused(client, query):
    assert client.get(PATH, query_string=query).status_code == 400
