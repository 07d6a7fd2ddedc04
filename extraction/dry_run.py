"""A rehearsal: everything is read as a move would read it, and nothing is written."""

from chassis.ownership.records import TOMBSTONE, record_hash
from extraction.copier import PAGE_SIZE
from extraction.extraction import Extraction, ExtractionStopped


def dry_run(move: Extraction) -> None:
    """Read every record that a move would copy, and say what there is."""
    ends, domain = move.deployment.endpoints, move.domain
    source = (
        ends.monolith_records[domain]
        if move.direction == "extract"
        else ends.service_records[domain]
    )
    count = gone = versions = 0
    total = 0
    after: str | None = ""
    with move.console.bar("read", ends.monolith_records[domain].totals()[0]):
        while after is not None:
            records, after = source.read_page(after, PAGE_SIZE)
            for record in records:
                count += 1
                gone += TOMBSTONE in record
                versions += record["version"]
                total = (total + int(record_hash(record)[:16], 16)) % 2**64
            move.console.advance(len(records))
    move.console.say(
        f"{count} {domain} would be compared, sum of versions {versions}, sum of hashes"
        f" {total:016x}; {gone} of them are in deleted threads and stay behind."
    )
    if move.direction == "extract":
        held = ends.monolith_records[domain].totals()
        if held != (count, versions):
            msg = f"The monolith counts {held} now; it was written while this read."
            raise ExtractionStopped(msg)
    move.console.say("Nothing was changed.")
