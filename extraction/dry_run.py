"""Dry run of a move: read all records as the move would, and write nothing."""

from chassis.ownership.records import TOMBSTONE, record_hash
from extraction.copier import PAGE_SIZE
from extraction.extraction import Extraction, ExtractionStopped


def dry_run(move: Extraction) -> None:
    """Read every record that the move would copy, and print the result."""
    endpoints, domain = move.deployment.endpoints, move.domain
    extracting = move.direction == "extract"
    source = (endpoints.monolith_records if extracting else endpoints.service_records)[domain]
    count = tombstones = versions = 0
    hashes = 0
    after: str | None = ""
    with move.console.bar("read", endpoints.monolith_records[domain].totals()[0]):
        while after is not None:
            records, after = source.read_page(after, PAGE_SIZE)
            for record in records:
                count += 1
                tombstones += TOMBSTONE in record
                versions += record["version"]
                hashes = (hashes + int(record_hash(record)[:16], 16)) % 2**64
            move.console.advance(len(records))
    move.console.say(
        f"A move would compare {count} {domain} (sum of versions: {versions}, sum of hashes:"
        f" {hashes:016x})."
    )
    if tombstones:
        move.console.say(f"{tombstones} of them are in deleted threads and would not be copied.")
    if extracting:
        totals = endpoints.monolith_records[domain].totals()
        if totals != (count, versions):
            msg = f"The monolith now has {totals}; someone wrote during the dry run."
            raise ExtractionStopped(msg)
    move.console.say("Nothing was changed.")
