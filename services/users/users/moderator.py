"""Makes somebody a moderator: `python -m users.moderator NAME`, with the service's environment."""

import sys

from chassis import settings
from chassis.errors import CutoverInProgress, NotFound
from users.bootstrap import build_database, build_standings, build_store, use_cases
from users.settings import UsersSettings


def main() -> int:
    """Appoint the person whose username is the only argument."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m users.moderator USERNAME\n")
        return 2
    configured = settings.load_settings(UsersSettings)
    database = build_database(configured)
    store = build_store(database, standings=build_standings(configured, database))
    try:
        user = use_cases(configured, store).make_moderator(sys.argv[1])
    except (NotFound, CutoverInProgress) as failure:
        sys.stderr.write(f"{sys.argv[1]}: {failure.detail}\n")
        return 1
    sys.stdout.write(f"{user.username} is a moderator, everywhere from the next sign-in on.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
