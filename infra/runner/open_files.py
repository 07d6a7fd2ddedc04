"""The limit of open files: macOS allows a shell 256, and supervisord wants 1,024 by default."""

import resource

WANTED, NEEDED = 4096, 256


def raise_limit() -> str:
    """Raise the limit for this process and its children; return a problem if it is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < NEEDED:
        return (
            f"the limit of open files is {allowed}, and a forum needs {NEEDED};"
            f" raise it with `ulimit -n {NEEDED}` or more"
        )
    return ""


def current_limit() -> int:
    """Return the limit of this process."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return WANTED if soft == resource.RLIM_INFINITY else soft
