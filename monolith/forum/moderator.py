"""Makes somebody a moderator: `python -m forum.moderator NAME`, with the monolith's environment."""

import sys

from chassis import settings
from chassis.errors import CutoverInProgress, NotFound
from forum.bootstrap import Bootstrap
from forum.settings import ForumSettings


def main() -> int:
    """Appoint the person whose username is the only argument."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m forum.moderator USERNAME\n")
        return 2
    configured = settings.load_settings(ForumSettings)
    parts = Bootstrap(configured)
    if "users" in parts.ownership.snapshot().extracted:
        sys.stderr.write("users is extracted: ask the users service\n")
        return 2
    try:
        user = parts.sql_users.make_moderator(sys.argv[1])
    except (NotFound, CutoverInProgress) as failure:
        sys.stderr.write(f"{sys.argv[1]}: {failure.detail}\n")
        return 1
    sys.stdout.write(f"{user.username} is a moderator, everywhere from the next sign-in on.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
