"""The outbox, the worker's heartbeat and the progress of erasures."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ID = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)
WAITING = sa.text("published_at IS NULL")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "outbox",
        sa.Column("id", ID, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("published_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_published_at", "outbox", ["published_at"])
    op.create_index(
        "ix_outbox_waiting", "outbox", ["id"], postgresql_where=WAITING, sqlite_where=WAITING
    )
    op.create_table(
        "worker_beats",
        sa.Column("worker", sa.String(length=32), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("lag_seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("worker", name="pk_worker_beats"),
    )
    op.create_table(
        "erasures",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("waiting_for", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_erasures_user_id_users"),
        sa.PrimaryKeyConstraint("user_id", name="pk_erasures"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("erasures")
    op.drop_table("worker_beats")
    op.drop_index("ix_outbox_waiting", "outbox")
    op.drop_index("ix_outbox_published_at", "outbox")

    op.drop_table("outbox")
