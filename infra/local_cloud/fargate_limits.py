"""Limits of Fargate on task definitions, with its errors.

MiniStack runs whatever a definition asks of the container engine. On Fargate, where the templates'
tasks run, a task never gets rights on the machine below it.
"""

from collections.abc import Mapping
from typing import Any


def find_violation(definition: Mapping[str, Any]) -> str:
    """Return why Fargate rejects a task definition; empty if it does not.

    The names of a definition begin in lower case in a request, in upper case in a template, and
    MiniStack reads both in several places. Any value that is set counts: a template's "false" is
    true for MiniStack.
    """
    fargate = "FARGATE" in (_get(definition, "requiresCompatibilities") or ())
    if (_get(definition, "networkMode") or ("awsvpc" if fargate else "bridge")) != "awsvpc":
        return "Fargate only supports network mode 'awsvpc'."
    if (mode := _get(definition, "pidMode")) and mode != "task":
        return (
            f"Tasks using the Fargate launch type do not support pidMode '{mode}'."
            " The supported value for pidMode is 'task'."
        )
    if _get(definition, "ipcMode"):
        return "Tasks using the Fargate launch type do not support ipcMode."
    unsupported = _unsupported(definition)
    return f"Fargate compatible task definitions do not support {unsupported}" * bool(unsupported)


def _unsupported(definition: Mapping[str, Any]) -> str:
    for volume in _get(definition, "volumes") or ():
        # A source without a slash is a volume of the engine, perhaps of another project.
        if _get(_get(volume, "host") or {}, "sourcePath"):
            return "sourcePath"
        for kind in ("dockerVolumeConfiguration", "fsxWindowsFileServerVolumeConfiguration"):
            if _get(volume, kind):
                return kind
    for container in _get(definition, "containerDefinitions") or ():
        linux = _get(container, "linuxParameters") or {}
        if _get(container, "privileged"):
            return "privileged"
        # Fargate would permit SYS_PTRACE, which no component needs.
        if added := _get(_get(linux, "capabilities") or {}, "add"):
            return f"adding the capabilities {', '.join(map(str, added))}"
        for name in ("devices", "sharedMemorySize", "tmpfs"):
            if _get(linux, name):
                return name
    return ""


def _get(mapping: Mapping[str, Any], name: str) -> Any:
    """Return a value by its name in a request, or in a template."""
    return mapping.get(name) or mapping.get(name[0].upper() + name[1:])
