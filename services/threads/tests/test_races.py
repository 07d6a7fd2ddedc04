"""Concurrent requests; the datastore resolves conflicts."""

from collections import Counter

from tests.support.etags import version_of
from tests.support.service import RACERS, race, walk

PATH = "/api/threads"


def test_fifty_identical_requests_create_one_thread(app, client, ada):
    headers = ada.headers | {"Idempotency-Key": "the-same"}

    def create(racer, _):
        return racer.post(PATH, json={"title": "Only one"}, headers=headers)

    answers = race(app, create)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.data for answer in answers}) == 1
    assert [thread["id"] for thread in walk(client, PATH)] == [answers[0].json["id"]]
    assert len(walk(client, PATH, q="only one")) == 1


def test_one_of_different_requests_with_a_key_wins(app, client, ada):
    headers = ada.headers | {"Idempotency-Key": "one-key"}

    def create(racer, number):
        return racer.post(PATH, json={"title": f"Number {number}"}, headers=headers)

    outcomes = Counter(answer.status_code for answer in race(app, create))
    assert outcomes == {201: 1, 422: RACERS - 1}
    assert len(walk(client, PATH)) == 1


def test_exactly_one_edit_of_a_version_wins(app, client, ada, begin):
    path = f"{PATH}/{begin('Version one')}"
    headers = ada.headers | {"If-Match": '"1"'}

    def edit(racer, number):
        return racer.patch(path, json={"title": f"By racer{number:02}"}, headers=headers)

    answers = race(app, edit)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: RACERS - 1}
    [won] = [answer.json for answer in answers if answer.status_code == 200]
    read = client.get(path)
    assert (read.json, version_of(read.headers["ETag"])) == (won, 2)
    found = [number for number in range(RACERS) if walk(client, PATH, q=f"racer{number:02}")]
    assert [f"By racer{number:02}" for number in found] == [won["title"]]


def test_racing_edits_without_a_version_lose_nothing_silently(app, client, moderator, begin):
    path = f"{PATH}/{begin('Busy')}"

    def edit(racer, number):
        return racer.patch(path, json={"title": f"Edit {number}"}, headers=moderator.headers)

    outcomes = Counter(answer.status_code for answer in race(app, edit))
    assert set(outcomes) <= {200, 409}
    assert version_of(client.get(path).headers["ETag"]) == 1 + outcomes[200]


def test_one_of_the_deletions_wins(app, moderator, begin):
    path = f"{PATH}/{begin('Going')}"

    def delete(racer, _):
        return racer.delete(path, headers=moderator.headers)

    outcomes = Counter(answer.status_code for answer in race(app, delete))
    assert outcomes == {204: 1, 404: RACERS - 1}
