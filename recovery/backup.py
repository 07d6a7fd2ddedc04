"""Backup and restore of a forum of `make run`: a copy of its databases, keys and stage."""

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path

import boto3

from chassis.clock import format_timestamp
from chassis.dynamodb.database import Database, Item
from chassis.ownership.records import delete_all_items
from chassis.ownership.state import ownership_table
from extraction.endpoints import Endpoints
from infra import dynoxide, ministack, stages
from infra.domains import SERVICES
from infra.ministack import PREFIX
from infra.runner.config import DATASTORE, HOST, RunConfig, with_current_stage
from infra.runner.free_port import free_port
from infra.runner.stage_processes import is_ready
from recovery.reconcile import raise_versions

MANIFEST = "backup.json"
SQL, DYNAMODB = "forum.sqlite", "dynamodb.sqlite"
STAGE, SECRETS = "stage.json", "secrets"
ENDPOINT = "AWS_ENDPOINT_URL_DYNAMODB"
PATIENCE = 30  # seconds until Dynoxide answers


_CREDENTIALS = {
    "AWS_DEFAULT_REGION": ministack.REGION,
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
}


class RestoreError(Exception):
    """The backup can't be restored; the message gives the reason."""


def back_up(config: RunConfig, now: datetime) -> Path:
    """Copy a forum's data, also while people write; return the new folder.

    Each database is copied as of one moment, the services' first. What people write between the two
    moments differs after a restore, until it is reconciled.
    """
    stage = stages.stage_name(config.data_stage)
    folder = config.var / "backups" / f"{stage}-{now:%Y%m%dT%H%M%SZ}"
    folder.mkdir(mode=0o700, parents=True)
    for name in (DYNAMODB, SQL):
        if (config.folder / name).exists():
            _copy_database(config.folder / name, folder / name)
    if config.stage_file.exists():
        shutil.copy2(config.stage_file, folder / STAGE)
    shutil.copytree(config.secrets_folder, folder / SECRETS)
    # Written last: without it, the backup is not complete.
    manifest = {"data_stage": sorted(config.data_stage), "time": format_timestamp(now)}
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def find_forum(folder: Path, ports: Mapping[str, int], var: Path) -> RunConfig:
    """Return the forum that a backup is of.

    Raises:
        RestoreError: the folder has no complete backup.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        msg = f"There is no complete backup in {folder}."
        raise RestoreError(msg) from None
    return with_current_stage(RunConfig(frozenset(manifest["data_stage"]), ports, var))


def restore(config: RunConfig, folder: Path) -> int:
    """Put all data of a stopped forum back; return the number of records with a later version."""
    config.folder.mkdir(parents=True, exist_ok=True)
    for name in (DYNAMODB, SQL):
        file = config.folder / name
        for leftover in config.folder.glob(f"{name}*"):
            leftover.unlink()
        if (folder / name).exists():
            _copy_database(folder / name, file)
    config.stage_file.unlink(missing_ok=True)
    if (folder / STAGE).exists():
        shutil.copy2(folder / STAGE, config.stage_file)
    shutil.rmtree(config.secrets_folder, ignore_errors=True)
    shutil.copytree(folder / SECRETS, config.secrets_folder)
    restored = with_current_stage(config)
    with ExitStack() as running:
        if restored.extracted:
            url = running.enter_context(_dynoxide(restored.folder / DYNAMODB))
            os.environ[ENDPOINT] = url
        endpoints = _endpoints(restored)
        owners = [endpoints.owner_records(one, restored.extracted) for one in stages.DOMAINS]
        return sum(map(raise_versions, owners))


def restore_service(config: RunConfig, folder: Path, domain: str) -> int:
    """Put one service's tables of a stopped forum back; return the number of its records.

    Raises:
        RestoreError: the service does not own the domain, now or in the backup.
    """
    tables = [table for table in SERVICES[domain].tables if table != ownership_table(domain)]
    with ExitStack() as running:
        if domain not in config.extracted or not (folder / DYNAMODB).exists():
            msg = f"The {domain} service owns nothing here, or in the backup."
            raise RestoreError(msg)
        # A copy: starting Dynoxide changes its file.
        copy = Path(running.enter_context(tempfile.TemporaryDirectory())) / DYNAMODB
        _copy_database(folder / DYNAMODB, copy)
        source = _database(running.enter_context(_dynoxide(copy)))
        url = running.enter_context(_dynoxide(config.folder / DYNAMODB))
        if f"{PREFIX}{tables[0].name}" not in source.client.list_tables()["TableNames"]:
            msg = f"The backup has no tables of the {domain} service."
            raise RestoreError(msg)
        target = _database(url)
        delete_all_items(target, tables)
        for table in tables:
            after: Item | None = None
            while True:
                items, after = source.scan(table.name, after)
                target.put_items(table.name, items)
                if after is None:
                    break
        os.environ[ENDPOINT] = url
        return raise_versions(_endpoints(config).service_records[domain])


def _endpoints(config: RunConfig) -> Endpoints:
    return Endpoints(f"sqlite:///{config.folder / SQL}")


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
    os.environ.update(_CREDENTIALS)
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


def _database(url: str) -> Database:
    return Database(boto3.client("dynamodb", endpoint_url=url), PREFIX)
