"""Names that another component owns, kept in a table here so that showing them needs no call."""

from collections.abc import Iterable

from chassis.dynamodb import Database, Item

REMEMBERED = 10_000  # names, a MB or two


class Names:
    """A replica of names by id, each as of the latest version that was seen.

    The table's partition key is `id`, its items are `id`, `display_name` and `version`.
    """

    def __init__(self, database: Database, table: str) -> None:
        self._db = database
        self._table = table
        # What this process knows to be kept, so that a usual write does not write it again.
        self._known: dict[str, tuple[int, str]] = {}

    def keep(self, identifier: str, name: str, version: int) -> str:
        """Keep a name as of a version, and answer the newest that is known."""
        known = self._known.get(identifier)
        if known and known[0] >= version:
            return known[1]
        item: Item = {"id": identifier, "display_name": name, "version": version}
        older = "attribute_not_exists(id) OR version < :version"
        if not self._db.put_if(self._table, item, older, version=version):
            item = self._db.get(self._table, {"id": identifier}) or item
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[identifier] = (item["version"], item["display_name"])
        newest: str = item["display_name"]
        return newest

    def of(self, identifiers: Iterable[str]) -> dict[str, str]:
        """Read the names of up to 100 ids in one call; answers those that are known."""
        found = self._db.get_many(self._table, "id", identifiers)
        return {identifier: item["display_name"] for identifier, item in found.items()}
