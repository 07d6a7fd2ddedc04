"""Forums whose domains move, each on fresh databases."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from chassis.ownership.records import delete_all_items
from extraction import copier
from extraction.tests.support.live_forum import LiveForum, VirtualTime
from forum.commands.migrate import upgrade
from forum.domains import NAMES
from forum.settings import ForumSettings
from forum.users import store as monolith_users
from infra.domains import SERVICES
from tests.support.dynamo import Dynamo
from tests.support.people import SECRET_KEY, Keys
from users import service as users_service

MakeForum = Callable[..., LiveForum]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a migrated database once; forums copy it."""
    file = tmp_path_factory.mktemp("template") / "forum.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def make_forum(
    dynamo: Dynamo,
    session_keys: Keys,
    template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> MakeForum:
    """Return a factory of forums, each on databases of its own."""
    time = VirtualTime()
    time.install(monkeypatch)
    monkeypatch.setattr(copier, "PAGE_SIZE", 2)
    for module in (monolith_users, users_service):  # hashes of passwords take long on purpose
        monkeypatch.setattr(module, "hash_password", str)
        monkeypatch.setattr(module, "verify_password", lambda kept, password: kept == password)

    tables = [table for domain in NAMES for table in SERVICES[domain].tables]
    prefix = dynamo.provision(tables)

    def make(extracted: frozenset[str], seed: int = 0) -> LiveForum:
        delete_all_items(dynamo.database(prefix), tables)
        file = tmp_path / "forum.db"
        for old in tmp_path.iterdir():
            old.unlink()
        shutil.copyfile(template, file)
        settings = ForumSettings(
            database_url=f"sqlite:///{file}",
            secret_key=SECRET_KEY,
            session_public_keys=session_keys.public,
            session_private_key=session_keys.private,
            live_extraction=True,
            extracted=extracted,
            sign_in_limit_per_name=10_000,
            sign_in_limit_per_address=10_000,
        )
        return LiveForum(time, settings, prefix, random.Random(seed))

    return make
