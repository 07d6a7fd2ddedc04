"""The environment of every command that works on this machine.

A shell may name a profile, a region or endpoints of another project, and a proxy. boto3, requests
and their kind obey such variables, so a command could fail, or reach somebody's real account. Local
commands call `isolate` first; only downloads use what the caller has set.

The standard library only, since the test suites begin with it.
"""

import os
import re
from types import MappingProxyType

NOBODY = "http://127.0.0.1:9"
"""An address at which nobody answers: a client that is given no endpoint reaches no system."""
AWS = MappingProxyType(
    {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": NOBODY,
        # Not the user's own profile, credentials or instance role.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
)
"""Variables of AWS clients, in place of the caller's."""
# macOS and Windows keep proxies outside the environment, too.
DIRECT = MappingProxyType({"NO_PROXY": "*"})
_NEUTRAL = {**AWS, **DIRECT}
_FOREIGN = re.compile(r"AWS_.+|BOTO_CONFIG|(HTTP|HTTPS|ALL|FTP|NO)_PROXY", re.IGNORECASE)

_removed: dict[str, str] = {}


def isolate() -> None:
    """Remove from this process's environment what leads its clients to other systems."""
    for name in [name for name in os.environ if _is_foreign(name)]:
        _removed[name] = os.environ.pop(name)
    os.environ.update(_NEUTRAL)


def caller_environment() -> dict[str, str]:
    """Return the environment as the caller set it, for downloads and for Docker's client."""
    own = {name: value for name, value in os.environ.items() if name not in _NEUTRAL}
    return own | _removed


def _is_foreign(name: str) -> bool:
    """Return whether a variable is the caller's: what `isolate` has set stays."""
    return _FOREIGN.fullmatch(name) is not None and os.environ[name] != _NEUTRAL.get(name)
