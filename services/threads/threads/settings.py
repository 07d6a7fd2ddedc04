"""The settings of the threads service."""

from chassis.settings import HttpUrl, ServiceSettings


class ThreadsSettings(ServiceSettings):
    """What the threads service needs to know."""

    posts_url: HttpUrl
    """Where the posts component is."""
