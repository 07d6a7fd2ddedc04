"""Command line of recovery: `python -m recovery reconcile`.

`reconcile` compares all copies with their owners' records, `backup` copies the data of a forum, and
`restore` puts it back. `restore-tables` replaces one service's tables by others, such as those of a
point-in-time recovery, and `reindex` derives the entries by which one service finds its records
again; these two use the AWS settings of the environment.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from chassis.clock import utc_now
from chassis.errors import Unavailable
from extraction.console import Console
from extraction.deployment import compose_agent, compose_project
from extraction.deployment.compose import ComposeDeployment, is_inside_container
from extraction.deployment.compose_project import ComposeProject
from extraction.deployment.find import DEPLOY_LOCAL, ECS, find_deployment, read_place
from extraction.deployment.port import DeploymentError
from extraction.endpoints import Endpoints
from infra import local_environment, stages
from infra.domains import SERVICES
from infra.ministack import PREFIX
from infra.runner.config import (
    BACKUPS,
    RunConfig,
    SettingsError,
    read_config,
    var_folder,
    with_current_stage,
)
from infra.runner.lock import Lock
from recovery.backup import (
    COMPOSE,
    LOCAL,
    ForumData,
    Manifest,
    RestoreError,
    back_up,
    read_manifest,
    tell_raised,
)
from recovery.compose_data import ComposeData
from recovery.local_data import LocalData
from recovery.reconcile import Reconciliation, Report, raise_versions
from recovery.reindex import reindex
from recovery.service_tables import open_tables, restore_tables

SHOWN = 20
RESTORE_TABLES = "restore-tables"
REINDEX = "reindex"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 if copies differ and were not repaired."""
    options = _parser().parse_args(arguments)
    console = Console(sys.stderr if is_inside_container() else None)
    try:
        if options.command == "reconcile":
            return _reconcile(options, console, arguments)
        if options.command == "backup":
            _back_up()
        elif options.command == "restore":
            _restore(options.folder, options.domain)
        elif options.command == RESTORE_TABLES:
            source = open_tables(options.source_url, options.source_prefix)
            endpoints = Endpoints("", options.prefix)
            console.say(tell_raised(restore_tables(source, endpoints, options.domain)))
        elif options.command == REINDEX:
            endpoints = Endpoints("", options.prefix)
            entries = SERVICES[options.domain].index_check(endpoints.dynamo)
            count = reindex(endpoints.service_records[options.domain], entries)
            console.say(f"Indexed {count} {'record' if count == 1 else 'records'} again.")
        else:
            _raise_versions(console)
    except (DeploymentError, SettingsError) as error:
        console.say(f"Stopped: {error}")
    except (BotoCoreError, ClientError) as error:
        console.say(f"Stopped: {error}. Run this again.")
    except Unavailable as failure:
        console.say(f"Stopped: {failure.detail} Run this again.")
    except RestoreError as error:
        console.say(f"Not restored: {error}")
    else:
        return 0
    return 1


def _reconcile(
    options: argparse.Namespace, console: Console, arguments: Sequence[str] | None
) -> int:
    deployment = find_deployment()
    if isinstance(deployment, ComposeProject):
        passed = sys.argv[1:] if arguments is None else arguments
        return compose_agent.run_in_container(deployment, "recovery", passed)
    with deployment.exclusive():
        report = Reconciliation(
            deployment.endpoints, deployment.extracted, repair=options.repair
        ).run()
    return _show(report, console, repaired=options.repair)


def _back_up() -> None:
    folder = back_up(_find_data(), var_folder(os.environ) / BACKUPS, utc_now())
    print(f"Copied the data of the forum to {folder}.")
    print(f"To restore it: make restore FROM={folder}")


def _find_data() -> ForumData:
    """Return the data of the forum of `make run`, also a stopped one, or of the one in containers.

    Raises:
        DeploymentError: there is no data.
    """
    holder = Lock(var_folder(os.environ)).holder()
    wanted = read_place(os.environ)
    if wanted in {DEPLOY_LOCAL, ECS}:
        msg = f"This is for forums on this machine: PLACE must be {LOCAL} or {COMPOSE}."
        raise DeploymentError(msg)
    if wanted == COMPOSE or (holder is None and wanted != LOCAL):
        if project := compose_project.find_project(os.environ):
            return ComposeData(project)
        if wanted == COMPOSE:
            msg = "No forum is running in containers from this folder."
            raise DeploymentError(msg)
    config = read_config(os.environ)
    if holder is not None:
        extracted = stages.parse(holder["extracted"])
        config = with_current_stage(RunConfig(extracted, holder["ports"], config.var))
    if not config.folder.exists():
        msg = f"There is no data in {config.folder}."
        raise DeploymentError(msg)
    return LocalData(config)


def _restore(folder: Path, domain: str | None) -> None:
    manifest = read_manifest(folder)
    forum = _find_target(manifest)
    if domain:
        forum.put_back_service(folder, domain)
    else:
        forum.put_back(folder)
    print(f"Restored {folder}.")
    start = "R" if manifest.deployment == COMPOSE else "Start the forum, then r"
    print(f"{start}un `make reconcile REPAIR=on`.")


def _find_target(manifest: Manifest) -> ForumData:
    """Return the data that a backup is of.

    Raises:
        RestoreError: its forum can't be restored now.
    """
    if manifest.deployment == COMPOSE:
        project = compose_project.find_project(os.environ, stopped=True)
        if project is None or project.extracted != manifest.data_stage:
            began = stages.as_setting(manifest.data_stage)
            msg = f"There are no containers of this forum: `EXTRACTED={began} docker compose up`."
            raise RestoreError(msg)
        return ComposeData(project)
    if Lock(var_folder(os.environ)).holder() is not None:
        msg = "The forum is running; stop it with `make stop`."
        raise RestoreError(msg)
    environment = read_config(os.environ)
    began_with = RunConfig(manifest.data_stage, environment.ports, environment.var)
    return LocalData(with_current_stage(began_with))


def _raise_versions(console: Console) -> None:
    """Raise the versions of all records of the forum in containers, from inside."""
    forum = ComposeDeployment()
    owners = [forum.endpoints.owner_records(one, forum.extracted) for one in stages.DOMAINS]
    console.say(tell_raised(sum(map(raise_versions, owners))))


def _show(report: Report, console: Console, *, repaired: bool) -> int:
    counts = ", ".join(f"{number} {domain}" for domain, number in report.compared.items())
    console.say(f"Compared {counts} with every copy of them.")
    for difference in report.differences[:SHOWN]:
        console.say(f"  {difference}")
    number = len(report.differences)
    if number > SHOWN:
        console.say(f"  and {number - SHOWN} more")
    if not number:
        console.say("No difference.")
        return 0
    if repaired:
        console.say(f"Repaired {number}; run this again to see that nothing is left.")
        return 0
    console.say(f"Found {number}; REPAIR=on repairs them.")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m recovery", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("backup")
    command = commands.add_parser("restore")
    command.add_argument("folder", type=Path, help="the folder that `backup` named")
    command.add_argument("--domain", choices=stages.DOMAINS, help="only this service's tables")
    command = commands.add_parser(RESTORE_TABLES, help="replace one service's tables")
    command.add_argument("domain", choices=stages.DOMAINS)
    command.add_argument("--source-url", help="the endpoint of the source, if it is another")
    command.add_argument(
        "--source-prefix", default=PREFIX, help="what the source's names begin with"
    )
    command.add_argument("--prefix", default=PREFIX, help="what the names of the tables begin with")
    command = commands.add_parser(REINDEX, help="derive the entries of one service's indexes again")
    command.add_argument("domain", choices=stages.DOMAINS)
    command.add_argument("--prefix", default=PREFIX, help="what the names of the tables begin with")
    commands.add_parser("raise-versions", help="of all records, in the forum's containers")
    command = commands.add_parser("reconcile")
    command.add_argument("--repair", action="store_true", help="repair the copies that differ")
    return parser


if __name__ == "__main__":
    # In a container, the environment is the forum's own.
    if not is_inside_container() and not {RESTORE_TABLES, REINDEX} & set(sys.argv[1:2]):
        local_environment.isolate()
    sys.exit(main())
