"""Write fencing: no transaction of a domain is applied after its ownership has changed."""

from collections.abc import Sequence

from chassis.dynamodb.database import Action, Database, TransactionCanceled
from chassis.ownership.state import FENCE_LABEL, OwnershipStore, cutover_in_progress


class FencedDatabase(Database):
    """A service's tables for writes of its own domain, fenced while the domain is moved."""

    def __init__(self, database: Database, ownership: OwnershipStore) -> None:
        super().__init__(database.client, database.prefix)
        self._ownership = ownership

    def transact(self, actions: Sequence[Action]) -> None:
        """Apply all actions or none; none unless the service may write.

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
