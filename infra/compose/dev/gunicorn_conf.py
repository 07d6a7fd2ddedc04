"""Gunicorn settings of compose.dev.yaml: those of the images, with reloading and a debugger.

A component started with `gunicorn --reload -c <this file>` imports its code anew a second after a
file of it changed, be it Python, a template or a style sheet.
"""

import time
import traceback
from pathlib import Path
from typing import Any

import debugpy  # type: ignore[import-not-found]  # installed in the image only
from gunicorn import util

from chassis.http.gunicorn_conf import *  # noqa: F403
from chassis.http.gunicorn_worker import BufferingThreadWorker

DEBUGGER = ("0.0.0.0", 5678)  # noqa: S104 - published on the loopback interface only


class ReloadingWorker(BufferingThreadWorker):
    """Worker that shows why its code cannot be imported, until a file changes again."""

    def load_wsgi(self) -> None:
        """Import the application; gunicorn's own survives syntax errors only."""
        self.imported_at = time.time()
        try:
            super().load_wsgi()
        except Exception as error:
            self.log.exception("The application cannot be imported")
            self.wsgi = util.make_fail_app("".join(traceback.format_exception(error)))

    def is_outdated(self) -> bool:
        """Return whether a file changed since the import; the reloader begins to look after it."""
        files = self.reloader.get_files() if self.reloader else ()
        times = (Path(file).stat().st_mtime for file in files if Path(file).is_file())
        # A machine whose clock is ahead of this one must not cause reloads without end.
        now = time.time()
        return any(self.imported_at <= changed <= now for changed in times)


worker_class = ReloadingWorker  # type: ignore[assignment]  # gunicorn takes a name or a class
# All files, and also those that a failed import has not reached.
reload_extra_files = [f"{folder}/**/*.*" for folder in Path.cwd().iterdir() if folder.is_dir()]
# Code that the master has imported would stay. One worker, because a port has one debugger.
preload_app = False
workers = 1
# A worker that stands at a breakpoint gives no sign of life.
timeout = 0


def post_worker_init(worker: Any) -> None:
    """Listen for a debugger, unless the worker has to be replaced already."""
    if worker.is_outdated():
        worker.alive = False
    else:
        debugpy.listen(DEBUGGER, in_process_debug_adapter=True)
