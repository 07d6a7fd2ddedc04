"""What the bus may have lost: it has its queues in memory until an orderly stop.

A file in its folder is there while anything is published, and stays if the bus ends in any other
way. It says since when events must then be published again.
"""

from datetime import datetime, timedelta
from pathlib import Path

from chassis.clock import format_timestamp, parse_timestamp, utc_now

# What was recorded shortly before the bus stopped may have been published at its next start only.
_MARGIN = timedelta(minutes=5)
_STATE = ("sns.json", "sqs.json")


class BusRecovery:
    """Knows `since` when events must be published again; None if none must."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._marker = folder / "lost-since"
        self.since = self._noted()

    def mark_running(self) -> None:
        """Note that from now on messages would be lost; an earlier note stays."""
        if self._noted() is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            since = min(self._written(), default=utc_now()) - _MARGIN
            partial = self._marker.with_suffix(".partial")
            partial.write_text(f"{format_timestamp(since)}\n", encoding="utf-8")
            partial.replace(self._marker)

    def mark_republished(self) -> None:
        """Note that everything was published again."""
        self.since = None

    def mark_died(self) -> None:
        """Note that the bus died meanwhile; an orderly stop later does not mend that."""
        self.since = self._noted()

    def mark_stopped(self, stopping: datetime) -> None:
        """Forget the note if the bus has written down everything since it was asked to stop."""
        written = self._written()
        if self.since is None and len(written) == len(_STATE) and min(written) >= stopping:
            self._marker.unlink(missing_ok=True)

    def _noted(self) -> datetime | None:
        try:
            return parse_timestamp(self._marker.read_text(encoding="utf-8").strip())
        except FileNotFoundError:
            return None

    def _written(self) -> list[datetime]:
        files = [self._folder / name for name in _STATE]
        return [
            datetime.fromtimestamp(file.stat().st_mtime, utc_now().tzinfo)
            for file in files
            if file.exists()
        ]
