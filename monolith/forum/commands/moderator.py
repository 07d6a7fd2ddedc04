"""Appointment of moderators: `python -m forum moderator NAME`, with the monolith's environment."""

import sys
from collections.abc import Sequence

from chassis import settings
from chassis.commands import USAGE_ERROR
from chassis.errors import CutoverInProgress, NotFound
from forum.bootstrap import Bootstrap
from forum.settings import ForumSettings


def main(arguments: Sequence[str]) -> int:
    """Make the user whose username is the only argument a moderator."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m forum moderator USERNAME\n")
        return USAGE_ERROR
    [username] = arguments
    configured = settings.load_settings(ForumSettings)
    parts = Bootstrap(configured)
    if "users" in parts.ownership.snapshot().extracted:
        sys.stderr.write("users is extracted; run this command in the users service\n")
        return USAGE_ERROR
    try:
        user = parts.sql_users.make_moderator(username)
    except (NotFound, CutoverInProgress) as failure:
        sys.stderr.write(f"{username}: {failure.detail}\n")
        return 1
    sys.stdout.write(
        f"{user.username} is now a moderator. The role takes effect at the next sign-in.\n"
    )
    return 0
