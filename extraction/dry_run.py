"""A rehearsal: everything is read as a move would read it, and nothing is written."""

from chassis.ownership.records import GONE, digest
from extraction.copier import PAGE
from extraction.extraction import Move, StoppedError


def rehearse(move: Move) -> None:
    """Read every record that a move would copy, and say what there is."""
    ends, domain = move.place.ends, move.domain
    source = ends.rows[domain] if move.direction == "extract" else ends.copies[domain]
    count = gone = versions = 0
    total = 0
    after: str | None = ""
    with move.console.bar("read", ends.rows[domain].totals()[0]):
        while after is not None:
            records, after = source.page(after, PAGE)
            for record in records:
                count += 1
                gone += GONE in record
                versions += record["version"]
                total = (total + int(digest(record)[:16], 16)) % 2**64
            move.console.advance(len(records))
    move.console.say(
        f"{count} {domain} would be compared, sum of versions {versions}, sum of hashes"
        f" {total:016x}; {gone} of them are in deleted threads and stay behind."
    )
    if move.direction == "extract":
        held = ends.rows[domain].totals()
        if held != (count, versions):
            msg = f"The monolith counts {held} now; it was written while this read."
            raise StoppedError(msg)
    move.console.say("Nothing was changed.")
