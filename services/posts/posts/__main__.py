"""Programs of the posts service.

Usage:
    python -m posts worker            publish events and apply those of others
    python -m posts replay since 10m  publish recorded events again
"""

import sys

from chassis.commands import run_command
from chassis.runtime import service_commands
from posts.bootstrap import PostsService

if __name__ == "__main__":
    sys.exit(run_command("posts", service_commands(PostsService), sys.argv[1:]))
