"""The migrations create and drop the schema of the models."""

import subprocess
import sys

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, insert, inspect, select, text

from chassis.clock import parse_timestamp
from forum import schema
from forum.app import create_app
from forum.commands import migrate
from forum.commands.migrate import upgrade
from forum.database import Base, make_engine
from forum.outbox import WorkerHeartbeat
from forum.schema import LOCK, MIGRATIONS, NEEDED

BEAT = {"worker": "monolith", "at": parse_timestamp("2026-01-31T12:00:00.000Z"), "lag_seconds": 0.5}


def _schema(engine: Engine) -> dict[str, set[tuple[str, str, bool]]]:
    found = inspect(engine)
    return {
        table: {
            (one["name"], str(one["type"]), one["nullable"]) for one in found.get_columns(table)
        }
        for table in found.get_table_names()
    }


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    return config


def test_migrated_tables_are_those_of_the_models(url):
    engine = make_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_migrations_see_all_models_without_the_application(url):
    # In a process of its own: here, other tests have imported every model.
    code = (
        "import sys; from alembic import command; from alembic.config import Config;"
        "config = Config(); config.set_main_option('script_location', sys.argv[1]);"
        "config.attributes['url'] = sys.argv[2]; command.check(config)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(MIGRATIONS), url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_migrating_again_changes_nothing(url):
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(insert(WorkerHeartbeat).values(BEAT))
    before = _schema(engine)
    upgrade(url)
    assert _schema(engine) == before
    with engine.connect() as connection:
        assert connection.execute(select(WorkerHeartbeat.__table__)).mappings().all() == [BEAT]
    engine.dispose()


def test_downgrade_leaves_nothing(url):
    command.downgrade(_config(url), "base")
    engine = make_engine(url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()


MIGRATORS = 6


@pytest.mark.parametrize("start", ["empty", "0004"])
def test_concurrent_migrations_all_succeed(backend, new_url, start):
    """Each migrator is a process that waits for its turn: the first one migrates, others don't."""
    if start != "empty":
        command.upgrade(_config(new_url), start)
    code = (
        "import sys; from forum.commands.migrate import upgrade; import forum.app;"
        "print('ready', flush=True); sys.stdin.readline(); upgrade(sys.argv[1])"
    )
    migrators = [
        subprocess.Popen(
            [sys.executable, "-c", code, new_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(MIGRATORS)
    ]
    for each in migrators:
        assert each.stdout
        assert each.stdout.readline() == "ready\n"
    for each in migrators:
        assert each.stdin
        each.stdin.write("\n")
        each.stdin.flush()
    errors = [each.communicate(timeout=120)[1] for each in migrators]
    assert [each.returncode for each in migrators] == [0] * MIGRATORS, errors
    engine = make_engine(new_url)
    with engine.connect() as connection:
        assert schema.version(connection) == NEEDED
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


@pytest.mark.parametrize("backend", ["postgresql"])
def test_migration_in_progress_is_waited_for_only_so_long(url, monkeypatch, capsys):
    monkeypatch.setattr(schema, "LOCK_SECONDS", 0.2)
    monkeypatch.setenv("DATABASE_URL", url)
    engine = make_engine(url)
    with engine.connect() as other:
        other.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        other.commit()
        assert migrate.main([]) == 1
    engine.dispose()
    assert capsys.readouterr().err == (
        "another migration of this database has not ended within 0.2 s;"
        " see what it does, and migrate again\n"
    )
    assert migrate.main([]) == 0


def test_needed_version_is_the_last_migration():
    script = ScriptDirectory(str(MIGRATIONS))
    assert script.get_heads() == [NEEDED]
    # Versions are compared as texts: each step has a higher number than the one before.
    order = [each.revision for each in script.walk_revisions()]
    assert order == sorted(order, reverse=True)


def test_monolith_is_ready_once_its_schema_is_recent(make_settings, new_url):
    app = create_app(make_settings(database_url=new_url))
    client = app.test_client()
    behind = client.get("/readyz")
    assert behind.status_code == 503
    assert behind.json["detail"] == (
        f"database: The schema has no version, and this revision needs {NEEDED}:"
        " run `python -m forum migrate`."
    )
    command.upgrade(_config(new_url), "0004")
    assert "The schema has version 0004, and" in client.get("/readyz").json["detail"]
    assert client.get("/healthz").status_code == 200
    upgrade(new_url)
    assert client.get("/readyz").status_code == 200
    app.extensions["database"].engine.dispose()


def test_monolith_is_ready_with_the_schema_of_a_later_revision(make_settings, url):
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    app = create_app(make_settings())
    assert app.test_client().get("/readyz").status_code == 200
    app.extensions["database"].engine.dispose()
