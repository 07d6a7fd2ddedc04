"""Which events the service takes."""

from chassis.messaging.subscriptions import Subscription
from posts import events

SUBSCRIPTION = Subscription(
    "posts",
    (
        events.USER_REGISTERED,
        events.USER_UPDATED,
        events.USER_SUSPENDED,
        events.USER_ERASED,
        events.THREAD_CREATED,
        events.THREAD_UPDATED,
        events.THREAD_DELETED,
    ),
)
