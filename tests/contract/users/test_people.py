"""`GET /api/users`: everybody, and those with given ids."""

from tests.contract.support.client import Client
from tests.contract.support.paging import walk
from tests.contract.support.people import People, Person
from tests.contract.support.writing import NOWHERE


def test_users_are_listed_newest_first_to_the_end(anyone: Client, people: People) -> None:
    made = [people.member(name).id for name in ("one", "two", "three")]
    listed = [user["id"] for user in walk(anyone, "/api/users", limit=100)]
    assert [user_id for user_id in listed if user_id in made] == made[::-1]
    assert len(listed) == len(set(listed))
    assert listed == sorted(listed, reverse=True)


def test_small_pages_add_up_to_a_large_one(anyone: Client, people: People) -> None:
    for name in ("one", "two", "three", "four", "five"):
        people.member(name)
    first = anyone.get("/api/users", limit=4).expect()
    assert len(first["items"]) == 4
    second = anyone.get("/api/users", limit=1, cursor=first["next"]).expect()
    whole = anyone.get("/api/users", limit=5).expect()
    assert first["items"] + second["items"] == whole["items"]


def test_newest_come_first_by_default(anyone: Client, people: People) -> None:
    newest = people.member("newest")
    page = anyone.get("/api/users").expect()
    assert list(page) == ["items", "next"]
    assert page["items"][0]["id"] == newest.id
    assert len(page["items"]) <= 20


def test_list_shows_users_as_they_read_alone(anyone: Client, ada: Person) -> None:
    assert anyone.get("/api/users", limit=1).expect()["items"] == [anyone.get(ada.path).expect()]


def test_users_with_given_ids_come_in_the_given_order(
    anyone: Client, ada: Person, ben: Person, mod: Person
) -> None:
    asked = [ben.id, NOWHERE, mod.id, ada.id, ben.id]
    page = anyone.get("/api/users", ids=",".join(asked)).expect()
    assert [user["id"] for user in page["items"]] == [ben.id, mod.id, ada.id]
    assert page["next"] is None
    assert page["items"][2] == anyone.get(ada.path).expect()
    assert anyone.get("/api/users", ids=NOWHERE).expect() == {"items": [], "next": None}


def test_hundred_ids_are_the_limit(anyone: Client, ada: Person) -> None:
    hundred = [f"01890000-0000-7000-8000-{number:012}" for number in range(99)] + [ada.id]
    page = anyone.get("/api/users", ids=",".join(hundred)).expect()
    assert [user["id"] for user in page["items"]] == [ada.id]
    anyone.get("/api/users", ids=",".join([*hundred, ada.id])).refused(400, "about:blank", "ids")


def test_invalid_ids_are_refused(anyone: Client, ada: Person) -> None:
    for odd in ("", ",", f"{ada.id},", f"{ada.id},,{ada.id}", "a b", "ü", "x" * 65, "a;b"):
        anyone.get("/api/users", ids=odd).refused(400, "about:blank", "ids")


def test_given_ids_exclude_paging(anyone: Client, ada: Person) -> None:
    anyone.get("/api/users", ids=ada.id, limit=5).refused(400)
    cursor = anyone.get("/api/users", limit=1).expect()["next"]
    if cursor:
        anyone.get("/api/users", ids=ada.id, cursor=cursor).refused(400)
