"""Concurrent requests; the datastore resolves conflicts."""

from collections import Counter

import pytest

from services.users.tests.conftest import PASSWORD
from tests.support.etags import version_of
from tests.support.service import RACERS, race, walk

PATH = "/api/users"


@pytest.mark.parametrize(
    "spellings", [["grace"], ["grace", "Grace", "GRACE", "Ｇｒａｃｅ"], ["straße", "STRASSE"]]
)
def test_one_of_fifty_registrations_of_a_name_wins(app, client, spellings):
    def register(racer, number):
        username = spellings[number % len(spellings)]
        return racer.post(PATH, json={"username": username, "password": PASSWORD})

    answers = race(app, register)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: RACERS - 1}
    [won] = [answer.json for answer in answers if answer.status_code == 201]
    assert walk(client, PATH) == [won]


def test_fifty_identical_registrations_create_one_user(app, client):
    new = {"username": "grace", "password": PASSWORD}

    def register(racer, _):
        return racer.post(PATH, json=new, headers={"Idempotency-Key": "the-same"})

    answers = race(app, register)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.data for answer in answers}) == 1
    assert walk(client, PATH) == [answers[0].json]


def test_exactly_one_edit_of_a_version_wins(app, client, ada):
    headers = ada.headers | {"If-Match": '"1"'}

    def edit(racer, number):
        return racer.patch(ada.path, json={"bio": f"Edit {number}"}, headers=headers)

    answers = race(app, edit)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: RACERS - 1}
    [won] = [answer.json for answer in answers if answer.status_code == 200]
    read = client.get(ada.path)
    assert (read.json, version_of(read.headers["ETag"])) == (won, 2)


def test_racing_sign_ins_do_not_bypass_the_limit(app, settings, ada):
    def attempt(racer, _):
        return racer.post(
            f"{PATH}/sessions",
            json={"username": "ada", "password": "wrong"},
            headers={"X-Forwarded-For": "192.0.2.7"},
        )

    limit = settings.sign_in_limit_per_name
    outcomes = Counter(answer.status_code for answer in race(app, attempt))
    assert outcomes == {401: limit, 429: RACERS - limit}


def test_erasure_and_registrations_leave_one_holder_of_the_name(app, client, ada):
    def act(racer, number):
        if number == 0:
            return racer.delete(ada.path, json={"password": PASSWORD}, headers=ada.headers)
        return racer.post(PATH, json={"username": "ada", "password": PASSWORD})

    outcomes = Counter(answer.status_code for answer in race(app, act))
    assert outcomes[202] == 1
    assert outcomes[201] in {0, 1}
    assert outcomes[409] == RACERS - 1 - outcomes[201]
    assert len(walk(client, PATH)) == outcomes[201]
