"""Which events the service takes."""

from chassis.messaging.subscriptions import Subscription
from threads import events

SUBSCRIPTION = Subscription(
    "threads",
    (
        events.USER_REGISTERED,
        events.USER_UPDATED,
        events.USER_SUSPENDED,
        events.USER_ERASED,
        events.POST_CREATED,
        events.POST_UPDATED,
        events.POST_DELETED,
    ),
)
