"""The version of an account at which its earlier sessions ended."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    # The default is the database's: instances of the revision before still add people.
    op.add_column(
        "users",
        sa.Column("sessions_valid_from", sa.Integer(), server_default="0", nullable=False),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("users", "sessions_valid_from")
