"""The environment of pip, when it installs into the forum's own virtual environment.

The caller's settings say how pip reaches a registry: its index, proxy, certificates and cache.
Those that change where pip installs, or what, would break the installation: `PIP_USER=1`, for
example, is an error in a virtual environment.
"""

from collections.abc import Mapping

_KEPT = frozenset(
    {
        *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS"),
        *("PIP_PROXY", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_TRUSTED_HOST", "PIP_KEYRING_PROVIDER"),
        *("PIP_CACHE_DIR", "PIP_NO_CACHE_DIR", "PIP_CONFIG_FILE", "PIP_CONSTRAINT"),
        *("PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT", "PIP_RETRIES", "PIP_DISABLE_PIP_VERSION_CHECK"),
    }
)


def pip_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for pip: the caller's, without other settings of pip and Python."""
    own = {
        name: value
        for name, value in environ.items()
        if not name.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV", "CONDA_")) or name in _KEPT
    }
    # These override pip's configuration files, too.
    return own | {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
