"""One side of a comparison: the monolith alone, or all services."""

import shutil
from pathlib import Path
from types import TracebackType

import boto3
from botocore.config import Config

from bench.data.content import Content
from bench.data.fill_sql import into_sql
from bench.data.fill_tables import into_tables
from bench.progress import Progress
from forum.database import make_engine
from infra import ministack, stages
from infra.runner.config import DATASTORE, GATEWAY
from infra.runner.stack import RunnerStack

MONOLITH, SPLIT = "monolith", "split"
STAGES = {MONOLITH: frozenset[str](), SPLIT: frozenset(stages.DOMAINS)}
_ENVIRONMENT = {
    # All people sign in from one address, and often.
    "SIGN_IN_LIMIT_PER_NAME": "100000000",
    "SIGN_IN_LIMIT_PER_ADDRESS": "100000000",
}


class Side:
    """A running stage on free ports, in a folder that is emptied first."""

    def __init__(self, name: str, folder: Path, secrets: Path, workers: int) -> None:
        self.name = name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        environment = _ENVIRONMENT | {"WEB_CONCURRENCY": str(workers)}
        self.stack = RunnerStack(STAGES[name], folder, environment, restart=True)
        # The same on both sides, so that sessions and cursors are valid on both.
        keys = self.stack.config.secrets_folder
        keys.parent.mkdir(parents=True)
        keys.symlink_to(secrets)

    @property
    def url(self) -> str:
        """The gateway's address."""
        return self.stack.base_url

    @property
    def parts(self) -> tuple[str, ...]:
        """All processes that work for the forum, including workers."""
        config = self.stack.config
        return (GATEWAY, *config.components, *config.workers, *config.datastores)

    def fill(self, content: Content) -> None:
        """Load the content, with a progress bar."""
        size, config = content.size, self.stack.config
        things = size.users + size.threads + size.posts
        progress = Progress(
            f"Filling the {self.name} with {things:,} things",
            things * (2 if config.extracted else 1),
        )
        engine = make_engine(f"sqlite:///{config.folder / 'forum.sqlite'}")
        into_sql(engine, content, progress.more, credentials=not config.extracted)
        engine.dispose()
        if config.extracted:
            client = dynamodb(config.url(DATASTORE))
            into_tables(client, ministack.PREFIX, content, progress.more)
        progress.end()

    def __enter__(self) -> "Side":
        self.stack.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stack.stop()


def dynamodb(url: str) -> "boto3.client":  # type: ignore[valid-type]
    """Build a client of a local DynamoDB."""
    return boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name=ministack.REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106
        config=Config(parameter_validation=False, read_timeout=20),
    )
