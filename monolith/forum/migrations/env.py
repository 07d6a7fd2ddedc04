"""Environment of Alembic for the database, used by `forum.commands.migrate` and tests."""

from alembic import context

from forum import idempotency, outbox
from forum.database import Base, make_engine
from forum.ownership import state as ownership
from forum.posts import models as posts
from forum.schema import wait_for_lock
from forum.threads import models as threads
from forum.users import models as users

# The import of a module with models registers them in the metadata.
MODELS = (idempotency, outbox, ownership, users, threads, posts)

engine = make_engine(context.config.attributes["url"])
try:
    with engine.execution_options(writing=True).connect() as connection:
        wait_for_lock(connection)
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=connection.dialect.name == "sqlite",
            compare_type=True,
            # One transaction for the current version and all steps, which SQLite can do as well.
            transactional_ddl=True,
        )
        with context.begin_transaction():
            context.run_migrations()
finally:
    engine.dispose()
