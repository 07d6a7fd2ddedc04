"""The settings of the posts service."""

from chassis.settings import HttpUrl, ServiceSettings


class PostsSettings(ServiceSettings):
    """What the posts service needs to know."""

    threads_url: HttpUrl
    """Where the threads component is."""
