"""The search in titles: in both kinds of database, and equal to that of the service."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, event, insert, select, text
from sqlalchemy.orm import Session

from chassis import words
from chassis.clock import utc_now, uuid7
from forum.commands.migrate import upgrade
from forum.database import make_engine
from forum.schema import MIGRATIONS
from forum.threads.models import ThreadRow, ThreadWord
from forum.threads.persistence import index_title, lock_thread
from forum.users.models import UserRow
from tests.support.people import SECRET_KEY
from tests.support.service import walk
from tests.support.waits import wait_until
from threads.bootstrap import ThreadsService
from threads.dynamodb.tables import TABLES
from threads.settings import ThreadsSettings

PATH = "/api/threads"
TITLES = (
    "Splitting the monolith",
    "Why Go? From C to Rust, gophers and Google",
    "如何设计分布式系统",
    "新しいスレッドを立てる猫",
    "ﾃﾞｰﾀの移行2026年 AI技術",
    "เรียนภาษาไทยที่บ้าน",
    "한국어를 배우다",
    "ພາສາລາວ ខ្មែរ မြန်မာ",
    "Café Škoda, Ærø, İstanbul, Straße, Ångström",
    "Ёлка и мой дом",
    "Ελλάδα, Ϊάσων ΣΟΦΟΣ",
    "हिन्दी में लिखना",
    "مُحَمَّد أحمد شكـــرا می\u200cخواهم",
    "שָׁלוֹם עולם",
    "🎉 👩🏽\u200d💻 party",
    "snake_case kebab-case it's 50% _off_",
    "x" * 70 + " " + "\u3316" * 20,
    "".join(chr(0x4E00 + number) for number in range(120)),
    " ".join(f"w{number}" for number in range(30)),
    "笑" * 120,
)


@pytest.fixture
def service(dynamo, session_keys):
    settings = ThreadsSettings(
        secret_key=SECRET_KEY,
        session_public_keys=session_keys.public,
        table_prefix=dynamo.provision(TABLES),
        posts_url="http://posts.invalid",
    )
    return ThreadsService(settings).create_app().test_client()


def _found(client, q, **query):
    return [thread["title"] for thread in walk(client, PATH, q=q, **query)]


def _queries():
    """Return parts of titles, and parts that no title has."""
    rng = random.Random(7)
    queries = ["!!!", "🎉", "…", "zzz", "%", "w2", "w29", "the C", "猫 犬", "ค", "x" * 120]
    for title in TITLES:
        for number in range(8):
            start = rng.randrange(len(title))
            part = title[start : start + rng.choice((1, 2, 3, 5, 8, 20, 60))]
            queries += [part, part[::-1] if number % 2 else part.swapcase()]
    return [query for query in dict.fromkeys(queries) if query.strip()]


def test_both_sides_find_the_same_titles(client, service, ada):
    for title in TITLES:
        for one in (client, service):
            made = one.post(PATH, json={"title": title}, headers=ada.headers)
            assert made.status_code == 201, made.json
    hits = 0
    for number, query in enumerate(_queries()):
        terms = words.terms(query)
        if len(terms) > 8:
            for one in (client, service):
                assert one.get(PATH, query_string={"q": query}).status_code == 400, query
            continue
        expected = [one for one in TITLES[::-1] if terms and words.finds(terms, one)]
        assert _found(client, query) == expected, query
        assert _found(service, query) == expected, query
        if number % 10 == 0:
            assert _found(client, query, limit=1) == _found(service, query, limit=1) == expected
        hits += len(expected)
    assert hits > 80


@pytest.mark.parametrize(
    ("q", "title"),
    [
        ("mono split", "Splitting the monolith"),
        ("分布式", "如何设计分布式系统"),
        ("ｽﾚｯﾄﾞ", "新しいスレッドを立てる猫"),
        ("ไทย", "เรียนภาษาไทยที่บ้าน"),
        ("cafe istanbul", "Café Škoda, Ærø, İstanbul, Straße, Ångström"),
    ],
)
def test_new_title_replaces_what_the_old_one_was_found_by(client, ada, q, title):
    path = f"{PATH}/{client.post(PATH, json={'title': title}, headers=ada.headers).json['id']}"
    assert _found(client, q) == [title]
    client.patch(path, json={"title": "Other"}, headers=ada.headers)
    assert _found(client, q) == []
    client.patch(path, json={"title": title}, headers=ada.headers)
    assert _found(client, q) == [title]
    client.delete(path, headers=ada.headers)
    assert _found(client, q) == []


def test_search_reads_a_range_of_the_index(client, ada, app):
    client.post(PATH, json={"title": "Splitting"}, headers=ada.headers)
    engine: Engine = app.extensions["database"].engine
    statements = []

    @event.listens_for(engine, "before_cursor_execute")
    def record(_connection, _cursor, statement, parameters, _context, _many):
        statements.append((statement, parameters))

    assert _found(client, "spl") == ["Splitting"]
    event.remove(engine, "before_cursor_execute", record)
    [(statement, parameters)] = [one for one in statements if "thread_words" in one[0]]
    with engine.connect() as connection:
        sqlite = engine.dialect.name == "sqlite"
        if not sqlite:
            connection.execute(text("SET enable_seqscan = off"))
        plan = connection.exec_driver_sql(
            ("EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN ") + statement, parameters
        )
        described = " ".join(str(column) for row in plan for column in row)
    index = "(word>? AND word<?)" if sqlite else "pk_thread_words"
    assert index in described, described


def test_upgrade_finds_existing_titles_by_the_new_rules(url):
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    command.downgrade(config, "0004")
    engine = make_engine(url)
    author, now = uuid7(), utc_now()
    # More than one batch, and a deleted thread in between.
    titles = [*TITLES, *(f"Topic {number}" for number in range(520)), ""]
    rows = [
        {
            "id": uuid7(),
            "title": title,
            "author_id": author,
            "created_at": now,
            "last_activity_at": now,
            "deleted": not title,
        }
        for title in titles
    ]
    person = {"id": author, "username": "ada", "display_name": "Ada", "bio": "", "created_at": now}
    with engine.execution_options(writing=True).begin() as connection:
        connection.execute(insert(UserRow).values(person))
        connection.execute(insert(ThreadRow), rows)
        for row in rows:
            for word in set(row["title"].casefold()[:60].split()):
                connection.execute(insert(ThreadWord).values(word=word, thread_id=row["id"]))
    upgrade(url)
    with engine.connect() as connection:
        found = {(row.thread_id, row.word) for row in connection.execute(select(ThreadWord))}
    engine.dispose()
    assert found == {(row["id"], one) for row in rows for one in words.beginnings(row["title"])}


@pytest.mark.parametrize("backend", ["postgresql"])
def test_upgrade_and_a_rename_at_the_same_time_both_succeed(url):
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    command.downgrade(config, "0004")
    engine = make_engine(url)
    author, thread, now = uuid7(), uuid7(), utc_now()
    person = {"id": author, "username": "ada", "display_name": "Ada", "bio": "", "created_at": now}
    row = {"id": thread, "title": "Old", "author_id": author, "created_at": now}
    with engine.begin() as connection:
        connection.execute(insert(UserRow).values(person))
        connection.execute(insert(ThreadRow).values(row | {"last_activity_at": now}))
    waiting = text(
        "SELECT 1 FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    autonomous = engine.execution_options(isolation_level="AUTOCOMMIT")
    with ThreadPoolExecutor(1) as pool, autonomous.connect() as observer:
        # The order of each change of a title: first the thread's row, then its entries.
        with Session(engine) as session, session.begin():
            row = lock_thread(session, thread)
            upgrading = pool.submit(upgrade, url)
            wait_until(lambda: observer.execute(waiting).first())
            row.title = "New"
            index_title(session, thread, row.title)
        upgrading.result(60)
        found = observer.scalars(select(ThreadWord.word)).all()
    engine.dispose()
    assert found == ["new"]
