"""Deletion of threads: permissions, and the tombstone."""

import pytest

PATH = "/api/threads"


def test_sole_author_deletes_the_thread(client, posts, ada, begin):
    thread = begin("Mine alone")
    posts.write(thread, ada.id)
    assert client.delete(f"{PATH}/{thread}", headers=ada.headers).status_code == 204
    for answer in (
        client.get(f"{PATH}/{thread}"),
        client.patch(f"{PATH}/{thread}", json={"title": "x"}, headers=ada.headers),
        client.delete(f"{PATH}/{thread}", headers=ada.headers),
    ):
        assert answer.status_code == 404


def test_thread_without_posts_is_deleted(client, ada, begin):
    assert client.delete(f"{PATH}/{begin('Empty')}", headers=ada.headers).status_code == 204


def test_author_cannot_delete_a_thread_with_posts_of_others(client, posts, ada, bob, begin):
    thread = begin("Shared")
    posts.write(thread, ada.id)
    posts.write(thread, bob.id)
    answer = client.delete(f"{PATH}/{thread}", headers=ada.headers)
    assert answer.status_code == 409
    assert answer.json["type"] == "urn:problem:not-alone"
    assert client.get(f"{PATH}/{thread}").status_code == 200


def test_deleted_posts_of_others_do_not_count(client, posts, ada, bob, begin):
    thread = begin("Shared once")
    posts.write(thread, bob.id, deleted=True)
    assert client.delete(f"{PATH}/{thread}", headers=ada.headers).status_code == 204


def test_posts_of_others_are_found_on_every_page(client, posts, ada, bob, begin):
    thread = begin("Long")
    for _ in range(250):
        posts.write(thread, ada.id)
    posts.write(thread, bob.id)
    assert client.delete(f"{PATH}/{thread}", headers=ada.headers).status_code == 409
    assert len(posts.asked) == 3


def test_deletion_by_another_is_403_without_a_call_to_posts(client, posts, bob, begin):
    assert client.delete(f"{PATH}/{begin('Not yours')}", headers=bob.headers).status_code == 403
    assert posts.asked == []


def test_moderator_deletes_any_thread_even_while_posts_is_down(
    client, posts, bob, moderator, begin
):
    thread = begin("Spam")
    posts.write(thread, bob.id)
    posts.stop()
    assert client.delete(f"{PATH}/{thread}", headers=moderator.headers).status_code == 204


def test_deletion_by_the_author_is_503_without_posts(client, posts, ada, begin):
    thread = begin("Who knows")
    posts.stop()
    answer = client.delete(f"{PATH}/{thread}", headers=ada.headers)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert client.get(f"{PATH}/{thread}").status_code == 200


@pytest.mark.parametrize("query", [{}, {"sort": "newest"}, {"q": "leaving"}])
def test_deleted_thread_is_in_no_list(client, moderator, begin, query):
    thread = begin("Leaving")
    stays = begin("Not leaving")
    client.delete(f"{PATH}/{thread}", headers=moderator.headers)
    listed = client.get(PATH, query_string=query).json["items"]
    assert [item["id"] for item in listed] == [stays]


def test_deleted_thread_leaves_only_a_tombstone(client, dynamo, settings, moderator, begin):
    thread = begin("Some words of mine")
    client.delete(f"{PATH}/{thread}", headers=moderator.headers)
    database = dynamo.database(settings.table_prefix)
    assert database.get("threads", {"id": thread}) == {
        "id": thread,
        "deleted": True,
        "version": 2,
    }
    for word in ("some", "words", "of", "mine"):
        postings = database.query(
            "threads-words", "word = :word", limit=10, ascending=True, word=word
        )
        assert postings == []
