"""Which events the service takes."""

from chassis.messaging.subscriptions import Subscription
from users.events import FORGOTTEN

SUBSCRIPTION = Subscription("users", (FORGOTTEN,))
