"""Appointment of moderators: `python -m users moderator NAME`, with the service's environment."""

import sys
from collections.abc import Sequence

from chassis.commands import USAGE_ERROR
from chassis.errors import CutoverInProgress, NotFound
from users.bootstrap import UsersService


def main(arguments: Sequence[str]) -> int:
    """Make the user whose username is the only argument a moderator."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m users moderator USERNAME\n")
        return USAGE_ERROR
    [username] = arguments
    try:
        user = UsersService.from_environment().users.make_moderator(username)
    except (NotFound, CutoverInProgress) as failure:
        sys.stderr.write(f"{username}: {failure.detail}\n")
        return 1
    sys.stdout.write(
        f"{user.username} is now a moderator. The role takes effect at the next sign-in.\n"
    )
    return 0
