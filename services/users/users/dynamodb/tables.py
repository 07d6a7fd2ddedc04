"""The service's own DynamoDB tables.

The load on each partition, and its limit (a DynamoDB partition serves 3,000 read and
1,000 write units a second):

- `users`: a partition per person; reads of one person are strongly consistent. Its index `listed`
  spreads the global list over `SHARDS` partitions and may lag behind: up to 4,000
  registrations or changes a second.
- `users-names`: a partition per name, with the id of its owner. The condition of its writes makes
  names unique.
- `users-sign-ins`: a partition per name and address, and one per address, and window of time.
- `users-responses`: a partition per owner of idempotency keys, with the responses of 24 hours.
- `users-erasures`: a partition per erased person, with the confirmations of other components.
- `users-outbox`: see `chassis.messaging.dynamodb_outbox.outbox_table`.
- `users-moving`: see `chassis.ownership.state.ownership_table`.
"""

from chassis.dynamodb.tables import Index, Table
from chassis.idempotency import store
from chassis.messaging import dynamodb_outbox
from chassis.ownership import state

SHARDS = 4

USERS = Table(
    "users", partition="id", indexes=(Index("listed", partition="list_shard", sort="id"),)
)
USERNAMES = Table("users-names", partition="name")
SIGN_INS = Table("users-sign-ins", partition="counter", ttl_attribute="expires")
IDEMPOTENCY = store.idempotency_table("users")
ERASURES = Table("users-erasures", partition="id")
OUTBOX = dynamodb_outbox.outbox_table("users")
OWNERSHIP = state.ownership_table("users")

TABLES = (USERS, USERNAMES, SIGN_INS, IDEMPOTENCY, ERASURES, OUTBOX, OWNERSHIP)
