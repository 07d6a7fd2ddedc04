"""The search by beginnings of words: their order by bytes, and new entries of all titles."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from chassis.words import beginnings

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

WORD = sa.String(length=65)
THREADS = sa.table("threads", sa.column("id"), sa.column("title"), sa.column("deleted"))
WORDS = sa.table("thread_words", sa.column("word"), sa.column("thread_id"))
BATCH = 500


def upgrade() -> None:
    """Apply."""
    connection = op.get_bind()
    live = THREADS.c.deleted.is_(sa.false())
    if connection.dialect.name == "postgresql":
        # In the order of the forum's writes: a change of a title that has locked its thread waits
        # for the table of words, and the foreign keys of new entries would wait for that thread.
        threads = sa.select(THREADS.c.id).where(live).order_by(THREADS.c.id)
        connection.execute(threads.with_for_update(read=True, key_share=True))
        by_bytes = sa.String(length=65, collation="C")
        op.alter_column("thread_words", "word", type_=by_bytes, existing_type=WORD)
    connection.execute(sa.delete(WORDS))
    last = ""
    query = sa.select(THREADS).where(live).order_by(THREADS.c.id).limit(BATCH)
    while rows := connection.execute(query.where(THREADS.c.id > last)).all():
        # Entries are derived: a later change of their form comes with a migration like this one.
        entries = [
            {"word": one, "thread_id": row.id} for row in rows for one in beginnings(row.title)
        ]
        if entries:
            connection.execute(sa.insert(WORDS), entries)
        last = rows[-1].id


def downgrade() -> None:
    """Undo; the earlier search finds its words among the entries."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("thread_words", "word", type_=WORD, existing_type=WORD)
