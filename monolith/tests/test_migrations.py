"""The migrations create and drop the schema of the models."""

import subprocess
import sys

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, insert, inspect, select

from chassis.clock import parse_timestamp
from forum.commands.migrate import MIGRATIONS, upgrade
from forum.database import Base, make_engine
from forum.outbox import WorkerHeartbeat

BEAT = {"worker": "monolith", "at": parse_timestamp("2026-01-31T12:00:00.000Z"), "lag_seconds": 0.5}


def _schema(engine: Engine) -> dict[str, set[tuple[str, str, bool]]]:
    found = inspect(engine)
    return {
        table: {
            (one["name"], str(one["type"]), one["nullable"]) for one in found.get_columns(table)
        }
        for table in found.get_table_names()
    }


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
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    command.downgrade(config, "base")
    engine = make_engine(url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()
