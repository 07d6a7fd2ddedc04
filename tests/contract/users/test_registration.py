"""`POST /api/users`: opening an account, and who gets a name."""

from tests.contract.support.client import Answer, Client
from tests.contract.support.people import PASSWORD, People
from tests.contract.support.racing import RACERS, race
from tests.contract.support.writing import ODD_LINES
from tests.support.etags import version_of

USERS = "/api/users"
TAKEN = "urn:problem:username-taken"
ODD_USERNAMES = (
    "", "ab", "x" * 31, "has space", ".dot", "-dash", "_line", "a/b", "a@b.c", "abc\n", "ab\u200d",
    "emoji😀", "ab\x00c", " abc", "abc ", "ﷺﷺﷺ", "a\u0301\u0301\u0301", "ﬀ", "⑴⑴⑴", "\u115f" * 3,
    "mara\u3164", "former\u1160member", "mara\uffa0", "mar\u034fa", "\u0903abc", "ab\u20ddc",
)  # fmt: skip


def _fullwidth(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


def test_anyone_can_open_an_account_and_be_read(anyone: Client, people: People) -> None:
    name = people.name("ada")
    new = {"username": name, "password": PASSWORD, "display_name": "Ada L."}
    answer = anyone.post(USERS, new)
    user = answer.expect(201)
    assert list(user) == ["id", "username", "display_name", "bio", "role", "created_at"]
    assert user["username"] == name
    assert user["display_name"] == "Ada L."
    assert user["bio"] == ""
    assert user["role"] == "member"
    assert answer.headers["Location"] == f"{USERS}/{user['id']}"
    assert version_of(answer.etag) == 1
    read = anyone.get(answer.headers["Location"])
    assert read.expect() == user
    assert read.etag == answer.etag


def test_username_is_shown_where_no_other_name_is_given(anyone: Client, people: People) -> None:
    name = people.name("plain")
    user = anyone.post(USERS, {"username": name, "password": PASSWORD}).expect(201)
    assert user["display_name"] == name


def test_display_name_is_trimmed(anyone: Client, people: People) -> None:
    new = {"username": people.name("trim"), "password": PASSWORD, "display_name": "  Ada\u2003"}
    assert anyone.post(USERS, new).expect(201)["display_name"] == "Ada"


def test_registration_accepts_values_at_the_limits(anyone: Client, people: People) -> None:
    longest = people.name("x" * 19)
    assert len(longest) == 30
    new = {"username": longest, "password": "p" * 128, "display_name": "ü" * 50}
    assert anyone.post(USERS, new).expect(201)["display_name"] == "ü" * 50
    shortest = {"username": people.name("9"), "password": "ü" * 8, "display_name": "字"}
    anyone.post(USERS, shortest).expect(201)


def test_username_may_be_of_any_script(anyone: Client, people: People) -> None:
    for start in ("हिन्दी", "สมชายใจดี", "மீனா", "김철수", "ɛ́kpɛ́"):
        name = people.name(start)
        user = anyone.post(USERS, {"username": name, "password": PASSWORD}).expect(201)
        assert user["username"] == user["display_name"] == name


def test_name_of_erased_users_is_refused_however_it_is_spelled(
    anyone: Client, people: People
) -> None:
    new = {"username": people.name("odd"), "password": PASSWORD}
    for name in (
        "former  member",
        " Former\u00a0 MEMBER ",
        "former\u3000ｍember",
        "former\u00admember",
    ):
        anyone.post(USERS, new | {"display_name": name}).refused(400, "about:blank", "display_name")


def test_display_name_may_have_the_joiners_of_its_script(anyone: Client, people: People) -> None:
    for number, name in enumerate(("ශ්‍රී", "می‌خواهم", "Ada 👩‍💻 ❤️")):
        username = people.name(f"join{number}")
        new = {"username": username, "password": PASSWORD, "display_name": name}
        assert anyone.post(USERS, new).expect(201)["display_name"] == name


def test_invalid_username_is_refused(anyone: Client) -> None:
    for username in ODD_USERNAMES:
        new = {"username": username, "password": PASSWORD}
        anyone.post(USERS, new).refused(400, "about:blank", "username")


def test_all_invalid_fields_are_named_together(anyone: Client) -> None:
    new = {"username": "x", "password": "short", "display_name": "d" * 51, "admin": True}
    anyone.post(USERS, new).refused(
        400, "about:blank", "username", "password", "display_name", "admin"
    )


def test_invalid_display_name_is_refused(anyone: Client, people: People) -> None:
    new = {"username": people.name("odd"), "password": PASSWORD}
    for odd in ("", "   ", "x" * 51, *ODD_LINES):
        anyone.post(USERS, new | {"display_name": odd}).refused(400, "about:blank", "display_name")
    # Nothing was made: the name is free.
    anyone.post(USERS, new).expect(201)


def test_invalid_password_is_refused_and_not_repeated(anyone: Client, people: People) -> None:
    new = {"username": people.name("odd")}
    for odd in ("", "7 chars", "x" * 129, "nul\x00nul\x00"):
        answer = anyone.post(USERS, new | {"password": odd})
        answer.refused(400, "about:blank", "password")
        assert not odd or odd not in answer.response.text
    anyone.post(USERS, new | {"password": PASSWORD}).expect(201)


def test_name_in_use_is_refused(anyone: Client, people: People) -> None:
    new = {"username": people.name("once"), "password": PASSWORD}
    anyone.post(USERS, new).expect(201)
    anyone.post(USERS, new).refused(409, TAKEN)
    anyone.post(USERS, new | {"password": "another password"}).refused(409, TAKEN)


def test_name_is_taken_in_any_case_and_form(anyone: Client, people: People) -> None:
    name = people.name("straße")
    anyone.post(USERS, {"username": name, "password": PASSWORD}).expect(201)
    rest = name.partition(".")[2]
    for form in (name.upper(), f"STRASSE.{rest}", _fullwidth("stra") + f"ße.{rest}"):
        anyone.post(USERS, {"username": form, "password": PASSWORD}).refused(409, TAKEN)


def test_username_is_kept_in_its_normal_form(anyone: Client, people: People) -> None:
    name = people.name(_fullwidth("Wide"))
    user = anyone.post(USERS, {"username": name, "password": PASSWORD}).expect(201)
    assert user["username"] == user["display_name"] == people.name("Wide")


def test_one_of_fifty_racing_registrations_gets_the_name(anyone: Client, people: People) -> None:
    name = people.name("race")
    forms = (name, name.upper(), name.title())

    def register(client: Client, number: int) -> Answer:
        return client.post(USERS, {"username": forms[number % 3], "password": PASSWORD})

    answers = race(anyone, register)
    outcomes = sorted(answer.status for answer in answers)
    assert outcomes == [201] + [409] * (RACERS - 1)
    assert {answer.problem_type for answer in answers} == {None, TAKEN}
    winner = next(answer for answer in answers if answer.status == 201).body
    people.transcript.alias(winner["username"], "the winner's name")
    assert anyone.get(f"{USERS}/{winner['id']}").expect() == winner
