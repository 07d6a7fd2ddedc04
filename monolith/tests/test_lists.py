"""Lists: every item once, at a constant cost per page."""

import pytest
from sqlalchemy import event, text

from monolith.tests.support.filling import fill
from tests.support.service import pages, walk

COUNTS = (100, 1_000)


@pytest.fixture
def statements(app):
    """Record the SQL statements of a test."""
    noted = []

    def note(_connection, _cursor, statement, parameters, *_others):
        if not statement.startswith("BEGIN"):
            noted.append((statement, parameters))

    event.listen(app.extensions["database"].engine, "before_cursor_execute", note)
    return noted


@pytest.mark.parametrize("count", COUNTS)
def test_page_is_one_query_on_an_index_at_both_ends_of_a_list(client, database, statements, count):
    thread = fill(database, count)
    author = client.get(f"/api/threads/{thread}").json["author"]["id"]
    lists = {
        f"/api/posts/in-thread/{thread}": {"order": "asc"},
        f"/api/posts/in-thread/{thread}?": {"order": "desc"},
        f"/api/posts/by-user/{author}": {},
        "/api/posts": {},
        "/api/threads": {"sort": "activity"},
        "/api/threads?": {"sort": "newest"},
        "/api/threads??": {"q": "thread"},
        "/api/users": {},
    }
    for path, query in lists.items():
        first = client.get(path.rstrip("?"), query_string={"limit": 50} | query)
        deepest = _deepest(client, path.rstrip("?"), query, count)
        for cursor in ({}, {"cursor": deepest} if deepest else {}):
            statements.clear()
            page = client.get(path.rstrip("?"), query_string={"limit": 50} | query | cursor)
            assert page.status_code == 200
            assert len(statements) == 1, (path, [s for s, _ in statements])
        assert first.json["items"]
        _must_not_scan(database, statements[0])


def _deepest(client, path, query, count):
    """Return the cursor of the last page, walking by pages of 100."""
    cursors = [None]
    while True:
        cursor = {"cursor": cursors[-1]} if cursors[-1] else {}
        following = client.get(path, query_string={"limit": 100} | query | cursor).json["next"]
        if following is None:
            return cursors[-1]
        assert following not in cursors, "the list has no end"
        cursors.append(following)


def _must_not_scan(database, noted):
    statement, parameters = noted
    with database.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [row[-1] for row in plan]
            # SQLite says SCAN … USING INDEX for reading an index in its order, up to the limit.
            scans = [step for step in steps if step.startswith("SCAN") and "INDEX" not in step]
            assert not scans, steps
            assert not any("TEMP B-TREE" in step for step in steps), steps
        else:
            connection.execute(text("ANALYZE"))
            connection.execute(text("SET enable_seqscan = off"))
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            steps = [row[0] for row in plan]
            assert not any("Seq Scan" in step for step in steps), steps


def test_walking_a_list_gives_each_item_once_while_others_arrive(client, ada):
    thread = client.post("/api/threads", json={"title": "T"}, headers=ada.headers).json["id"]

    def write(number):
        body = {"thread_id": thread, "body": f"post {number}"}
        return client.post("/api/posts", json=body, headers=ada.headers).json["id"]

    written = [write(number) for number in range(25)]
    for path, query in (
        (f"/api/posts/in-thread/{thread}", {"order": "desc"}),
        ("/api/posts", {}),
        (f"/api/posts/by-user/{ada.id}", {}),
    ):
        expected, seen = written[::-1], []
        for page in pages(client, path, limit=4, **query):
            seen += [post["id"] for post in page]
            write("late")
        assert seen == expected
        written = [post["id"] for post in walk(client, f"/api/posts/in-thread/{thread}")]


def test_threads_with_equal_activity_are_each_listed_once(client, database):
    fill(database, 100)
    with database.writing() as session:
        session.execute(text("UPDATE threads SET last_activity_at = created_at"))
    threads = [thread["id"] for thread in walk(client, "/api/threads", limit=7)]
    assert threads == sorted(threads, reverse=True)
    assert len(threads) == 100
