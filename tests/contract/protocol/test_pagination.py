"""`limit`, `cursor` and unknown query parameters, on every list."""

import base64
from urllib.parse import quote

import pytest

from tests.contract.support.client import Client
from tests.contract.support.people import People, Person
from tests.contract.support.selection import at_both_sides
from tests.contract.support.writing import open_thread, reply

pytestmark = at_both_sides
LISTS = (
    "/api/users",
    "/api/threads",
    "/api/threads?sort=newest",
    "/api/threads?q={mark}",
    "/api/posts",
    "/api/posts/in-thread/{thread}",
    "/api/posts/in-thread/{thread}?order=desc",
    "/api/posts/by-user/{ada}",
)
ODD_LIMITS = (
    "0", "101", "-1", "1.5", "", "ten", "1e1", "٣", "+5", "1_0", " 5", "5 ", "0x10", "9" * 20,
    "true", "null", "５",
)  # fmt: skip
ODD_CURSORS = (
    "", "x", ".", "\x00", "😀", "null", "WyIwIl0.x", "x" * 1024, "x" * 1025, "[]", " ", "-_-",
)  # fmt: skip


@pytest.fixture
def listings(ada: Person, ben: Person, people: People) -> list[str]:
    """Return the target of every list, ready for a parameter; each holds three things or more."""
    mark = people.transcript.mark
    with people.transcript.paused():
        thread = open_thread(ada, f"{mark} one")
        for number in range(3):
            reply(ada, thread, f"Post {number}")
        open_thread(ada, f"{mark} two")
        open_thread(ben, f"{mark} three")
        people.member("third")
    targets = [list.format(mark=mark, thread=thread["id"], ada=ada.id) for list in LISTS]
    return [target + ("&" if "?" in target else "?") for target in targets]


def test_invalid_limit_is_refused(listings: list[str], anyone: Client) -> None:
    for listing in listings:
        for limit in ODD_LIMITS:
            anyone.get(f"{listing}limit={quote(limit)}").refused(400, "about:blank", "limit")
        anyone.get(f"{listing}limit=+5").refused(400, "about:blank", "limit")


def test_limit_is_respected(listings: list[str], anyone: Client) -> None:
    for listing in listings:
        assert len(anyone.get(f"{listing}limit=1").expect()["items"]) == 1
        assert len(anyone.get(f"{listing}limit=2").expect()["items"]) == 2
        with anyone.transcript.paused():
            assert len(anyone.get(f"{listing}limit=100").expect()["items"]) >= 3


def test_tampered_cursor_is_refused(listings: list[str], anyone: Client) -> None:
    for listing in listings:
        cursor = anyone.get(f"{listing}limit=1").expect()["next"]
        payload, _, signature = cursor.rpartition(".")
        made_up = base64.urlsafe_b64encode(b'["0"]').rstrip(b"=").decode()
        for odd in (
            cursor[:-1],
            cursor + "x",
            cursor[::-1],
            "x" + cursor,
            f"{payload}x.{signature}",
            f"{made_up}.{signature}",
            f"{payload}.",
            f".{signature}",
            signature,
        ):
            refused = anyone.get(f"{listing}limit=1&cursor={odd}")
            refused.refused(400, "about:blank", "cursor")
        anyone.get(f"{listing}limit=1&cursor={cursor}").expect()


def test_made_up_cursor_is_refused(listings: list[str], anyone: Client) -> None:
    for listing in listings:
        for cursor in ODD_CURSORS:
            odd = anyone.get(f"{listing}cursor={quote(cursor)}")
            odd.refused(400, "about:blank", "cursor")


def test_cursor_belongs_to_its_list(listings: list[str], anyone: Client, ada: Person) -> None:
    for listing in listings:
        cursor = anyone.get(f"{listing}limit=1").expect()["next"]
        thread = open_thread(ada, "Another thread")
        others = {
            "/api/users?",
            "/api/threads?",
            "/api/threads?sort=newest&",
            "/api/threads?q=another&",
            "/api/posts?",
            f"/api/posts/in-thread/{thread['id']}?",
            f"/api/posts/by-user/{thread['id']}?",
        } - {listing}
        for other in sorted(others):
            anyone.get(f"{other}cursor={cursor}").refused(400, "about:blank", "cursor")


def test_unknown_parameter_is_refused(listings: list[str], anyone: Client) -> None:
    for listing in listings:
        for odd in ("page=2", "offset=1", "Limit=5", "limit[]=5", "=x", "debug", "%00=1"):
            anyone.get(f"{listing}{odd}").refused(400)


def test_repeated_parameter_is_accepted_or_refused(listings: list[str], anyone: Client) -> None:
    for listing in listings:
        assert anyone.get(f"{listing}limit=1&limit=2").status in {200, 400}
        assert anyone.get(f"{listing}limit=1&limit=x").status in {200, 400}
