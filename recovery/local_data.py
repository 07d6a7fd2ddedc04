"""The data of a forum of `make run`: files in its folder."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from extraction.endpoints import Endpoints
from infra import dynoxide, stages
from infra.runner.config import (
    DATASTORE,
    DYNAMODB_FILE,
    HOST,
    SQLITE_FILE,
    RunConfig,
    with_current_stage,
)
from infra.runner.free_port import free_port
from infra.runner.stage_processes import is_ready
from recovery.backup import LOCAL, SECRETS, RestoreError, tell_raised
from recovery.reconcile import raise_versions
from recovery.service_tables import open_tables, restore_tables

ENDPOINT = "AWS_ENDPOINT_URL_DYNAMODB"
PATIENCE = 30  # seconds until Dynoxide answers


@dataclass(frozen=True)
class LocalData:
    """The data of a forum of `make run`; it does not run while data is put back."""

    config: RunConfig
    deployment: str = LOCAL

    @property
    def data_stage(self) -> frozenset[str]:
        """The stage that the data began with."""
        return self.config.data_stage

    def save(self, folder: Path) -> None:
        """Copy the files."""
        for name in (DYNAMODB_FILE, SQLITE_FILE):
            if (self.config.folder / name).exists():
                _copy_database(self.config.folder / name, folder / name)
        if self.config.stage_file.exists():
            shutil.copy2(self.config.stage_file, folder)
        shutil.copytree(self.config.secrets_folder, folder / SECRETS)

    def put_back(self, folder: Path) -> None:
        """Replace the files, and raise the versions of all records."""
        config = self.config
        config.folder.mkdir(parents=True, exist_ok=True)
        for name in (DYNAMODB_FILE, SQLITE_FILE):
            file = config.folder / name
            for leftover in config.folder.glob(f"{name}*"):
                leftover.unlink()
            if (folder / name).exists():
                _copy_database(folder / name, file)
        config.stage_file.unlink(missing_ok=True)
        if (stage := folder / config.stage_file.name).exists():
            shutil.copy2(stage, config.stage_file)
        shutil.rmtree(config.secrets_folder, ignore_errors=True)
        shutil.copytree(folder / SECRETS, config.secrets_folder)
        restored = with_current_stage(config)
        with ExitStack() as running:
            if restored.extracted:
                url = running.enter_context(_dynoxide(restored.folder / DYNAMODB_FILE))
                os.environ[ENDPOINT] = url
            endpoints = _endpoints(restored)
            owners = [endpoints.owner_records(one, restored.extracted) for one in stages.DOMAINS]
            print(tell_raised(sum(map(raise_versions, owners))))

    def put_back_service(self, folder: Path, domain: str) -> None:
        """Copy one service's tables from a second Dynoxide."""
        if domain not in self.config.extracted or not (folder / DYNAMODB_FILE).exists():
            msg = f"The {domain} service owns nothing here, or in the backup."
            raise RestoreError(msg)
        with ExitStack() as running:
            # A copy: starting Dynoxide changes its file.
            copy = Path(running.enter_context(tempfile.TemporaryDirectory())) / DYNAMODB_FILE
            _copy_database(folder / DYNAMODB_FILE, copy)
            source = open_tables(running.enter_context(_dynoxide(copy)))
            os.environ[ENDPOINT] = running.enter_context(
                _dynoxide(self.config.folder / DYNAMODB_FILE)
            )
            print(tell_raised(restore_tables(source, _endpoints(self.config), domain)))


def _endpoints(config: RunConfig) -> Endpoints:
    return Endpoints(f"sqlite:///{config.folder / SQLITE_FILE}")


def _copy_database(source: Path, target: Path) -> None:
    """Copy an SQLite database as of one moment, also while others write."""
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)
    target.chmod(0o600)


@contextmanager
def _dynoxide(file: Path) -> Iterator[str]:
    """Run Dynoxide on a file within the block; yield its URL."""
    port = free_port()
    command = [str(dynoxide.ensure_installed()), "serve", "--host", HOST, "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--db-path", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while not is_ready(port, DATASTORE):
            if process.poll() is not None or time.monotonic() > deadline:
                msg = f"Dynoxide does not start on {file}."
                raise RestoreError(msg)
            time.sleep(0.05)
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        process.wait(10)
