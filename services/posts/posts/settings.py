"""Settings of the posts service."""

from chassis.settings import HttpUrl, ServiceSettings


class PostsSettings(ServiceSettings):
    """The settings, read from the environment."""

    threads_url: HttpUrl
    """Where threads are served at this stage: by their service, by the monolith, or by the gateway,
    which knows the owner."""
