"""New derivation of the entries by which a service finds its records.

For a revision that derives other entries than the one before. People may write in the meantime.
"""

from chassis.ownership.index_check import IndexCheck
from chassis.ownership.records import READ_BATCH, RecordStore


def reindex(records: RecordStore, entries: IndexCheck) -> int:
    """Correct all entries of a domain; return the number of records whose entries differed.

    What was corrected before an outage stays so, and repeating it does no harm.
    """
    different = set[str]()
    after: str | None = ""
    while after is not None:
        page, after = records.read_page(after, READ_BATCH)
        different |= entries.check_records(page, repair=True).keys()
    after = ""
    while after is not None:
        wrong, after = entries.check_entries(after, READ_BATCH, repair=True)
        different |= wrong.keys()
    return len(different)
