"""The ownership of domains, and the events that an extraction has yet to copy."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TO_COPY = sa.text("to_copy IS NOT NULL")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "domains",
        sa.Column("domain", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("held_until", sa.BigInteger(), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("domain", name="pk_domains"),
    )
    op.add_column("outbox", sa.Column("to_copy", sa.String(length=16), nullable=True))
    op.create_index(
        "ix_outbox_to_copy",
        "outbox",
        ["to_copy", "id"],
        postgresql_where=TO_COPY,
        sqlite_where=TO_COPY,
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_outbox_to_copy", "outbox")
    op.drop_column("outbox", "to_copy")
    op.drop_table("domains")
