"""Programs of the monolith.

Usage:
    python -m forum migrate           bring the database's schema up to date
    python -m forum worker            publish events and apply those of others
    python -m forum replay since 10m  publish recorded events again
    python -m forum moderator ada     make a user a moderator
"""

import sys

from chassis.commands import Command, run_command
from forum.commands import migrate, moderator, replay, worker

COMMANDS: dict[str, Command] = {
    "migrate": migrate.main,
    "worker": worker.main,
    "replay": replay.main,
    "moderator": moderator.main,
}

if __name__ == "__main__":
    sys.exit(run_command("forum", COMMANDS, sys.argv[1:]))
