"""Programs of the users service.

Usage:
    python -m users worker            publish events and apply those of others
    python -m users replay since 10m  publish recorded events again
    python -m users moderator ada     make a user a moderator
"""

import sys

from chassis.commands import run_command
from chassis.runtime import service_commands
from users import moderator
from users.bootstrap import UsersService

if __name__ == "__main__":
    commands = service_commands(UsersService) | {"moderator": moderator.main}
    sys.exit(run_command("users", commands, sys.argv[1:]))
