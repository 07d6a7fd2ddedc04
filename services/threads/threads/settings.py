"""Settings of the threads service."""

from chassis.settings import HttpUrl, ServiceSettings


class ThreadsSettings(ServiceSettings):
    """The settings, read from the environment."""

    posts_url: HttpUrl
    """Where posts are served at this stage: by their service, by the monolith, or by the gateway,
    which knows the owner."""
