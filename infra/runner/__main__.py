"""Run the forum: `python -m infra.runner`, which is what `make run` does.

The environment chooses the stage (EXTRACTED), the ports (PORT, USERS_PORT, ...), the folder
(VAR_DIR), whether demo content is loaded (DEMO=off), and whether failed processes are restarted
(RESTART=on). The launcher starts supervisord and, through it, every program. It ends after a signal
(exit code 0) or, without RESTART=on, when a process dies (1).
"""

import os
import sys
import time
from functools import partial

from infra import dynoxide, local_environment, session_keys, stages
from infra.gateway import process, routes
from infra.gateway.configuration import Address, GatewayConfig
from infra.runner import console, open_files, port_check, process_specs
from infra.runner.config import (
    GATEWAY,
    HOST,
    RunConfig,
    SettingsError,
    read_config,
    with_current_stage,
)
from infra.runner.lock import AlreadyRunningError, Lock
from infra.runner.parent_watchdog import ParentWatchdog
from infra.runner.signals import Signals, StopRequested
from infra.runner.stage_processes import StageProcesses
from infra.runner.supervisor import ProcessFailedError, Supervisor

CHECK_SECONDS = 0.5
LAST_RUN_SECONDS = 20


def main() -> int:
    """Run until a signal arrives, or until a process dies."""
    signals = Signals()
    began = time.monotonic()
    try:
        if problem := open_files.raise_limit():
            raise SettingsError(problem)
        config = read_config(os.environ)
        lock = Lock(config.var)
        take_lock(lock, config)
        try:
            if problems := port_check.find_conflicts(config, config.servers):
                raise SettingsError("\n".join(problems))
            return _run(config, lock, signals, began)
        finally:
            lock.release()
    except (SettingsError, dynoxide.DynoxideError) as error:
        console.say(f"The forum did not start: {error}")
        return 1


def take_lock(lock: Lock, config: RunConfig) -> None:
    """Take the lock of a run's folder, and describe the run to other programs.

    Raises:
        SettingsError: another forum runs from there.
    """
    description = {
        "extracted": stages.as_setting(config.data_stage),
        "ports": dict(config.ports),
        "proxied_ports": dict(config.proxied_ports),
    }
    holder = lock.holder() or {}
    if holder and "pid" in holder and not _exists(holder["pid"]):
        console.say("Waiting for the previous run to stop ...")
        lock.wait_until_free(LAST_RUN_SECONDS)
    try:
        lock.take(description)
    except AlreadyRunningError:
        running = lock.holder() or {}
        port = running.get("ports", {}).get(GATEWAY)
        where = f" at http://{HOST}:{port}" if port else ""
        msg = (
            f"it is already running from this folder{where} as process {running.get('pid')};"
            " stop it with `make stop`"
        )
        raise SettingsError(msg) from None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _prepare(config: RunConfig) -> Supervisor:
    """Create keys, folders and configurations, without starting anything."""
    binary = dynoxide.ensure_installed() if config.services else dynoxide.binary_path()
    # The folder contains password hashes and all texts.
    config.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in (config.run_folder, config.log_folder, process_specs.routes_file(config).parent):
        folder.mkdir(parents=True, exist_ok=True)
    for name in session_keys.ensure_keys(config.secrets_folder):
        console.say(f"{config.secrets_folder / name} was damaged and was made again.")
    session_keys.distribute_keys(config)
    active = routes.load().at(config.extracted)
    places = {name: _instances(config, name) for name in stages.COMPONENTS}
    listen = Address(HOST, config.ports[GATEWAY])
    revision = os.environ.get("REVISION", "dev")
    file = process_specs.routes_file(config)
    made = GatewayConfig(active, places, listen, revision, routes_file=file)
    process.write_configuration(made, process_specs.gateway_file(config))
    return Supervisor(config.run_folder, config.log_folder, process_specs.all_specs(config, binary))


def _instances(config: RunConfig, component: str) -> list[Address]:
    own = config.ports[component]
    if component in config.extra_instances:
        return [Address(HOST, port) for port in (own, config.extra_instances[component])]
    return [Address(HOST, config.proxied_ports.get(component, own))]


def _run(config: RunConfig, lock: Lock, signals: Signals, began: float) -> int:
    supervisor = _prepare(config)
    console.say(f"Starting the forum, stage {stages.stage_name(config.extracted)} ...")
    stage = StageProcesses(config, supervisor, signals.pause)
    with ParentWatchdog(lock.descriptor) as watchdog:
        try:
            watchdog.watch(supervisor.spawn())
            supervisor.wait(signals.pause)
            stage.start()
            stage.load_demo(console.say)
            console.say(console.startup_summary(config, time.monotonic() - began))
            while True:
                signals.pause(CHECK_SECONDS)
                config = stage.check(partial(with_current_stage, config), console.say)
        except StopRequested:
            console.say("Stopping ...")
            code = 0
        except ProcessFailedError as failure:
            console.say(console.failure(failure, supervisor.log(failure.process)))
            code = 1
        finally:
            supervisor.stop()
    console.say("All processes have stopped.")
    return code


if __name__ == "__main__":
    local_environment.isolate()
    sys.exit(main())
