"""Programs of the threads service.

Usage:
    python -m threads worker            publish events and apply those of others
    python -m threads replay since 10m  publish recorded events again
"""

import sys

from chassis.commands import run_command
from chassis.runtime import service_commands
from threads.bootstrap import ThreadsService

if __name__ == "__main__":
    sys.exit(run_command("threads", service_commands(ThreadsService), sys.argv[1:]))
