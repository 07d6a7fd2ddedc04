"""The data of a forum in containers: volumes, which only containers reach."""

import os
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from extraction.deployment import compose_agent, compose_override
from extraction.deployment.compose_project import ComposeProject
from extraction.deployment.port import DeploymentError
from infra import stages
from infra.compose import data_file, stage_file
from infra.compose.required_services import required_services
from infra.compose.secrets_setup import KEYS, POSTGRES
from infra.current_stage import CurrentStage, read_current_stage
from infra.runner.config import DATASTORE, DYNAMODB_FILE, GATEWAY
from recovery.backup import COMPOSE, SECRETS, RestoreError

POSTGRES_FILE = "forum.pgdump"
STAGE_FILE = "stage.json"
TOOLS = "mover"
"""The service whose container runs commands like this one."""
_SIGNED_IN = 'export PGPASSWORD="$(cat /secrets/database_password)"'
# With the image of the running forum: `run` alone would build it from the code of this folder.
_ALONE = ("--rm", "--no-TTY", "--no-deps", "--pull", "never")
_DUMP = f'{_SIGNED_IN}; exec pg_dump -U forum -Fc "$0"'
# The database is replaced once the backup has been read without an error.
_RESTORE = f"""set -e; {_SIGNED_IN}
dropdb -U forum --if-exists --force "${{0}}_restored"
createdb -U forum -E UTF8 -T template0 "${{0}}_restored"
pg_restore -U forum --exit-on-error --no-owner --single-transaction -d "${{0}}_restored"
dropdb -U forum --if-exists --force "$0"
psql -U forum -d postgres -q -v ON_ERROR_STOP=1 \
  -c "ALTER DATABASE \\"${{0}}_restored\\" RENAME TO \\"$0\\""
"""
_REPLACE_KEYS = 'rm -rf "$0" && mkdir -p "$0" && tar -C "$0" --no-same-owner -x'
_REPLACE_FILE = 'cat > "$0.new" && mv "$0.new" "$0"'


@dataclass(frozen=True)
class ComposeData:
    """The data of a forum in containers; they are stopped while data is put back, then started."""

    project: ComposeProject
    deployment: str = COMPOSE

    @property
    def data_stage(self) -> frozenset[str]:
        """The stage that the data began with."""
        return self.project.extracted

    def save(self, folder: Path) -> None:
        """Copy the volumes' data by their containers."""
        if stage := self._read_stage():
            (folder / STAGE_FILE).write_bytes(stage)
        if _parse_stage(folder, self.data_stage).services:
            with _private_file(folder / DYNAMODB_FILE) as file:
                self._in_running(DATASTORE, *_data_command(data_file.SAVE), target=file)
        with _private_file(folder / POSTGRES_FILE) as file:
            self._in_running(POSTGRES, "sh", "-c", _DUMP, self._database, target=file)
        with tempfile.TemporaryFile() as archive:
            self._in_tool("setup", "tar", "-C", self._keys, "-c", ".", target=archive)
            archive.seek(0)
            (folder / SECRETS).mkdir(mode=0o700)
            with tarfile.open(fileobj=archive) as keys:
                keys.extractall(folder / SECRETS, filter="data")

    def put_back(self, folder: Path) -> None:
        """Replace the volumes' data, and raise the versions of all records."""
        before, after = self._current_stage(), _parse_stage(folder, self.data_stage)
        self._stop_except(POSTGRES)
        self.project.up_and_wait([POSTGRES])
        with (folder / POSTGRES_FILE).open("rb") as file:
            self._in_running(POSTGRES, "sh", "-c", _RESTORE, self._database, source=file)
        if (folder / DYNAMODB_FILE).exists():
            with (folder / DYNAMODB_FILE).open("rb") as file:
                self._with_data(data_file.REPLACE, file)
        elif before.services:
            self._with_data(data_file.REMOVE)
        self._write_stage(folder / STAGE_FILE)
        with tempfile.TemporaryFile() as archive:
            with tarfile.open(fileobj=archive, mode="w") as keys:
                keys.add(folder / SECRETS, ".")
            archive.seek(0)
            self._in_tool("setup", "sh", "-c", _REPLACE_KEYS, self._keys, source=archive)
        # It distributes the keys.
        self.project.execute("run", *_ALONE, "setup")
        if after.services:
            self.project.up_and_wait([DATASTORE])
        self._recover("raise-versions")
        self._start(after)

    def put_back_service(self, folder: Path, domain: str) -> None:
        """Copy one service's tables from a second Dynoxide in the same container."""
        current = self._current_stage()
        if domain not in current.extracted or not (folder / DYNAMODB_FILE).exists():
            msg = f"The {domain} service owns nothing here, or in the backup."
            raise RestoreError(msg)
        self._stop_except(POSTGRES, DATASTORE)
        self.project.up_and_wait([DATASTORE])
        try:
            with (folder / DYNAMODB_FILE).open("rb") as file:
                self._in_running(DATASTORE, *_data_command(data_file.RECEIVE), source=file)
            serve = _data_command(data_file.SERVE)
            self.project.execute("exec", "--detach", DATASTORE, *serve)
            source = f"http://{DATASTORE}:{data_file.SECOND_PORT}"
            self._recover("restore-tables", domain, "--source-url", source)
        finally:
            # Ends the second Dynoxide, too.
            self.project.stop([DATASTORE])
            self._with_data(data_file.DISCARD)
        self._start(current)

    @property
    def _keys(self) -> str:
        return str(KEYS / stages.stage_name(self.data_stage))

    @property
    def _database(self) -> str:
        return stage_file.database_name(self.data_stage)

    @property
    def _stage_path(self) -> str:
        return str(stage_file.FOLDER / f"{stages.stage_name(self.data_stage)}.json")

    def _read_stage(self) -> bytes:
        with tempfile.TemporaryFile() as output:
            read = 'cat "$0" 2>/dev/null || true'
            self._in_tool(TOOLS, "sh", "-c", read, self._stage_path, target=output)
            output.seek(0)
            return output.read()

    def _write_stage(self, file: Path) -> None:
        if file.exists():
            with file.open("rb") as stage:
                self._in_tool(TOOLS, "sh", "-c", _REPLACE_FILE, self._stage_path, source=stage)
        else:
            self._in_tool(TOOLS, "rm", "-f", self._stage_path)

    def _current_stage(self) -> CurrentStage:
        with tempfile.TemporaryDirectory() as folder:
            if stage := self._read_stage():
                (Path(folder) / STAGE_FILE).write_bytes(stage)
            return _parse_stage(Path(folder), self.data_stage)

    def _stop_except(self, *kept: str) -> None:
        self.project.stop(self.project.running() - set(kept))

    def _start(self, stage: CurrentStage) -> None:
        """Start the containers of a stage, and remove those that it does not have."""
        if message := compose_override.write_override(self.project, stage.services):
            print(message)
        wanted = required_services(stage.services)
        self.project.down(sorted(set(required_services(stages.DOMAINS)) - set(wanted)))
        self.project.up_and_wait([GATEWAY, stages.MONOLITH, *wanted], stage.services)

    def _with_data(self, action: str, source: IO[bytes] | None = None) -> None:
        """Run an action on the services' data while Dynoxide does not run."""
        program, *arguments = _data_command(action)
        self._in_tool(DATASTORE, *arguments, source=source, options=("--entrypoint", program))

    def _in_running(self, service: str, *command: str, **streams: IO[bytes]) -> None:
        self.project.execute("exec", "--no-TTY", service, *command, **streams)

    def _in_tool(
        self,
        service: str,
        *command: str,
        options: Sequence[str] = (),
        source: IO[bytes] | None = None,
        target: IO[bytes] | None = None,
    ) -> None:
        """Run a command in a new container of a service, with its volumes."""
        alone = (*_ALONE, *options)
        self.project.execute("run", *alone, service, *command, source=source, target=target)

    def _recover(self, *arguments: str) -> None:
        """Run a command of recovery in the network of the containers."""
        if compose_agent.run_in_container(self.project, "recovery", arguments):
            msg = "The forum is stopped. Run `make restore` again."
            raise DeploymentError(msg)


def _data_command(action: str) -> tuple[str, ...]:
    return ("python", "-m", data_file.__name__, action)


def _parse_stage(folder: Path, data_stage: frozenset[str]) -> CurrentStage:
    return read_current_stage(folder / STAGE_FILE) or CurrentStage(data_stage)


@contextmanager
def _private_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file that its owner alone can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
