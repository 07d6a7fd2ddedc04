"""Concurrent requests; the datastore resolves conflicts."""

from collections import Counter

from tests.support.etags import version_of
from tests.support.service import RACERS, race, walk

PATH = "/api/posts"


def test_fifty_identical_requests_create_one_post(app, client, ada, thread):
    headers = ada.headers | {"Idempotency-Key": "the-same"}

    def create(racer, _):
        return racer.post(PATH, json={"thread_id": thread, "body": "Only one"}, headers=headers)

    answers = race(app, create)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.data for answer in answers}) == 1
    assert {version_of(answer.headers["ETag"]) for answer in answers} == {1}
    for path in (PATH, f"{PATH}/in-thread/{thread}", f"{PATH}/by-user/{ada.id}"):
        assert [post["id"] for post in walk(client, path)] == [answers[0].json["id"]]


def test_one_of_different_requests_with_a_key_wins(app, client, ada, thread):
    headers = ada.headers | {"Idempotency-Key": "one-key"}

    def create(racer, number):
        new = {"thread_id": thread, "body": f"Number {number}"}
        return racer.post(PATH, json=new, headers=headers)

    outcomes = Counter(answer.status_code for answer in race(app, create))
    assert outcomes == {201: 1, 422: RACERS - 1}
    assert len(walk(client, PATH)) == 1


def test_requests_without_a_key_are_all_written(app, client, ada, thread):
    def create(racer, number):
        new = {"thread_id": thread, "body": f"Number {number}"}
        return racer.post(PATH, json=new, headers=ada.headers)

    made = [answer.json["id"] for answer in race(app, create)]
    listed = [post["id"] for post in walk(client, f"{PATH}/in-thread/{thread}")]
    assert listed == sorted(made)


def test_exactly_one_edit_of_a_version_wins(app, client, ada, write):
    path = f"{PATH}/{write('Version one')}"
    headers = ada.headers | {"If-Match": '"1"'}

    def edit(racer, number):
        return racer.patch(path, json={"body": f"By racer {number}"}, headers=headers)

    answers = race(app, edit)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: RACERS - 1}
    [won] = [answer.json for answer in answers if answer.status_code == 200]
    read = client.get(path)
    assert (read.json, version_of(read.headers["ETag"])) == (won, 2)


def test_racing_edits_without_a_version_lose_nothing_silently(app, client, ada, write):
    path = f"{PATH}/{write('Busy')}"

    def edit(racer, number):
        return racer.patch(path, json={"body": f"Edit {number}"}, headers=ada.headers)

    outcomes = Counter(answer.status_code for answer in race(app, edit))
    assert set(outcomes) <= {200, 409}
    assert version_of(client.get(path).headers["ETag"]) == 1 + outcomes[200]


def test_post_stays_deleted_among_racing_edits(app, client, ada, moderator, write):
    path = f"{PATH}/{write('Going')}"

    def edit_or_delete(racer, number):
        if number % 2:
            return racer.delete(path, headers=moderator.headers)
        return racer.patch(path, json={"body": f"Edit {number}"}, headers=ada.headers)

    answers = race(app, edit_or_delete)
    assert {answer.status_code for answer in answers} <= {200, 204, 409}
    left = client.get(path)
    assert (left.json["deleted"], left.json["body"], left.json["html"]) == (True, "", "")
    edits = sum(answer.status_code == 200 for answer in answers)
    assert version_of(left.headers["ETag"]) == 2 + edits
    assert walk(client, PATH) == []
