"""Password hashes with argon2id, sized for a small task."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP's smallest recommended memory: 16 sign-ins at once fit in 304 MiB.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_DUMMY = _hasher.hash("a name that nobody has takes as long as one that somebody has")


def hash_password(password: str) -> str:
    """Hash a password for storage."""
    return _hasher.hash(password)


def verify_password(kept: str | None, password: str) -> bool:
    """Return whether a password matches the hash; takes as long when there is no hash."""
    try:
        return _hasher.verify(kept or _DUMMY, password) and kept is not None
    except (VerificationError, InvalidHashError):
        return False
