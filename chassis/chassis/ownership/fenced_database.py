"""Fencing of writes: no transaction of a domain is applied after the domain changed its owner."""

from collections.abc import Sequence

from chassis.dynamodb.database import Action, Database, TransactionCanceled
from chassis.ownership.state import FENCE_LABEL, OwnershipStore, cutover_in_progress


class FencedDatabase(Database):
    """The tables of a service for writes of its own domain, each checked while the domain moves."""

    def __init__(self, database: Database, ownership: OwnershipStore) -> None:
        super().__init__(database.client, database.prefix)
        self._ownership = ownership

    def transact(self, actions: Sequence[Action]) -> None:
        """Apply all actions or none, and none unless the service may write.

        Raises:
            TransactionCanceled: a condition did not hold.
            CutoverInProgress: the service may not write right now.
            Unavailable: the items stayed busy.
        """
        fence = self._ownership.fence()
        try:
            super().transact([*actions, fence] if fence else actions)
        except TransactionCanceled as canceled:
            if canceled.failed(FENCE_LABEL):
                raise cutover_in_progress() from canceled
            raise
