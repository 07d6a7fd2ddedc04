"""Brings the database's schema up to date: `python -m forum.migrate`."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from chassis import settings
from forum.settings import ForumSettings

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(url: str) -> None:
    """Apply the migrations that the database at `url` lacks."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    command.upgrade(config, "head")


if __name__ == "__main__":
    upgrade(settings.load(ForumSettings).database_url.get_secret_value())
