"""Run the forum: `python -m infra.runner`, which is what `make run` does.

The environment chooses the stage (EXTRACTED), the ports (PORT, USERS_PORT, ...), the folder
(VAR_DIR), whether there is demo content (DEMO=off), and whether parts that die are started again
(RESTART=on). The launcher starts supervisord and, through it, every program. It ends when a signal
asks for it (exit code 0) or, without RESTART=on, when a part dies (1).
"""

import os
import sys
import time

from chassis.clock import utc_now
from infra import dynoxide, ministack, session_keys, stages
from infra.gateway import process, routes
from infra.gateway.configuration import Address, Gateway
from infra.runner import console, port_check, process_specs
from infra.runner.bus_recovery import Lost
from infra.runner.config import GATEWAY, HOST, Local, SettingsError, by_now, read
from infra.runner.lock import Lock, TakenError
from infra.runner.parent_watchdog import Lifeline
from infra.runner.restarter import Keeper
from infra.runner.signals import Signals, StopAskedError
from infra.runner.startup import Stage
from infra.runner.supervisor import PartFailedError, Runner

LOOK_SECONDS = 0.5
LAST_RUN_SECONDS = 20


def main() -> int:
    """Run until asked to stop, or until a part dies."""
    signals = Signals()
    began = time.monotonic()
    try:
        local = read(os.environ)
        lock = Lock(local.var)
        _take(lock, local)
        try:
            if problems := port_check.problems(local):
                raise SettingsError("\n".join(problems))
            return _run(local, lock, signals, began)
        finally:
            lock.release()
    except (SettingsError, dynoxide.DynoxideError) as error:
        console.say(f"The forum did not start: {error}")
        return 1


def _take(lock: Lock, local: Local) -> None:
    born = local.extracted if local.born is None else local.born
    description = {"extracted": stages.as_setting(born), "ports": dict(local.ports)}
    holder = lock.holder() or {}
    if holder and not _exists(holder["pid"]):
        console.say("The last run was killed and is still stopping ...")
        lock.wait_until_free(LAST_RUN_SECONDS)
    try:
        lock.take(description)
    except TakenError:
        msg = (
            f"it already runs from this folder ({local.var}) as process {holder.get('pid')};"
            " `make stop` ends it"
        )
        raise SettingsError(msg) from None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _prepare(local: Local, lost: Lost) -> Runner:
    """Make keys, folders and configurations; nothing runs yet."""
    binary = dynoxide.ensure() if local.services else dynoxide.place()
    # Password hashes and everybody's words lie in here.
    local.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in (local.run, local.logs, process_specs.routes_file(local).parent):
        folder.mkdir(parents=True, exist_ok=True)
    session_keys.ensure(local.secrets)
    session_keys.hand_out(local)
    active = routes.load().at(local.extracted)
    places = {name: _instances(local, name) for name in (stages.MONOLITH, *stages.DOMAINS)}
    listen = Address(HOST, local.ports[GATEWAY])
    revision = os.environ.get("REVISION", "dev")
    file = process_specs.routes_file(local)
    made = Gateway(active, places, listen, revision, routes_file=file)
    process.write(made, process_specs.gateway_file(local))
    ministack.move(local)
    return Runner(local.run, local.logs, process_specs.of(local, binary, lost.since))


def _instances(local: Local, component: str) -> list[Address]:
    own = local.ports[component]
    if component in local.spares:
        return [Address(HOST, port) for port in (own, local.spares[component])]
    return [Address(HOST, local.via.get(component, own))]


def _run(local: Local, lock: Lock, signals: Signals, began: float) -> int:
    lost = Lost(ministack.folder(local))
    runner = _prepare(local, lost)
    console.say(f"Starting the forum, stage {stages.folder(local.extracted)} ...")
    if local.born is not None:
        console.say(f"Its data began at stage {stages.folder(local.born)} and was moved since.")
    stage = Stage(local, runner, lost, signals.pause)
    keeper = Keeper(local, runner, lost, signals.pause)
    with Lifeline(lock.descriptor) as lifeline:
        try:
            lifeline.watch(runner.spawn())
            runner.wait(signals.pause)
            stage.start()
            stage.replay(console.say)
            stage.load_demo(console.say)
            console.say(console.overview(local, time.monotonic() - began))
            while True:
                signals.pause(LOOK_SECONDS)
                if (fresh := by_now(local)) != local:
                    local = fresh
                    stage.adopt(local, console.say)
                    keeper.adopt(local)
                if local.restart:
                    keeper.look(console.say)
                else:
                    stage.look()
        except StopAskedError:
            console.say("Stopping ...")
            code = 0
        except PartFailedError as failure:
            console.say(console.failure(failure, runner.log(failure.part)))
            code = 1
        finally:
            stopping = utc_now()
            runner.stop()
            lost.end(stopping)
    console.say("Everything has stopped.")
    return code


if __name__ == "__main__":
    sys.exit(main())
