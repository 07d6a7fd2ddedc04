"""Replay of events, from a component's outbox or from its dead letters.

The command `replay` of a component calls `main`.
"""

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from chassis.clock import Clock, format_timestamp, utc_now
from chassis.errors import Unavailable
from chassis.messaging.outbox import RETENTION, Outbox
from chassis.messaging.sqs_queue import Queue

USAGE = """\
usage: replay since WHEN      republish the events that this component recorded since then;
                              WHEN is 90s, 10m, 2h, 1d ago, or 2026-01-31T12:00:00Z
       replay dead-letters    return this component's dead letters to its queue
"""
MARGIN = timedelta(minutes=1)
"""Margin before the start time, because clocks of recording processes may differ."""
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class UsageError(Exception):
    """The command line is invalid; the message gives the reason."""


def main(outbox: Outbox, queue: Queue, arguments: Sequence[str], *, clock: Clock = utc_now) -> int:
    """Run the command, and report the result.

    Return the exit code: 0, 1 for an outage, 2 for an invalid command line. Work done before an
    outage stays done, and repeating it does no harm.
    """
    try:
        match list(arguments):
            case ["since", when]:
                message = _since(outbox, when, clock())
            case ["dead-letters"]:
                message = f"{_counted(queue.redrive(), 'dead letter')} returned to the queue"
            case _:
                reason = "specify what to replay"
                raise UsageError(reason)
    except UsageError as wrong:
        sys.stderr.write(f"replay: {wrong}\n{USAGE}")
        return 2
    except Unavailable as failure:
        sys.stderr.write(f"replay: {failure.detail} Try again later.\n")
        return 1
    sys.stdout.write(f"{message}\n")
    return 0


def parse_since(when: str, now: datetime) -> datetime:
    """Parse a time (RFC 3339) or an age such as `10m`.

    Raises:
        UsageError: it is neither, or in the future.
    """
    try:
        if ago := re.fullmatch(r"([0-9]{1,6})([smhd])", when):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        start = datetime.fromisoformat(when).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        message = f"{when!r} is not a valid time"
        raise UsageError(message) from error
    if datetime.fromisoformat(when).tzinfo is None:
        message = f"{when!r} has no time zone; add Z for UTC"
        raise UsageError(message)
    if start > now:
        message = f"{format_timestamp(start)} is in the future"
        raise UsageError(message)
    return start


def _since(outbox: Outbox, when: str, now: datetime) -> str:
    start = parse_since(when, now) - MARGIN
    events = _counted(outbox.republish_since(start), "event")
    message = f"{events} recorded since {format_timestamp(start)} will be republished by the worker"
    if start < now - RETENTION:
        message += f"; published ones older than {RETENTION.days} days are not kept"
    return message


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
