"""Passwords are stored as hashes, and timing does not reveal accounts."""

from chassis.auth.passwords import hash_password, verify_password


def test_password_verifies_against_its_own_hash_only():
    kept = hash_password("correct horse")
    assert kept.startswith("$argon2id$")
    assert "correct horse" not in kept
    assert verify_password(kept, "correct horse")
    assert not verify_password(kept, "correct horse ")
    assert hash_password("correct horse") != kept


def test_missing_or_invalid_hash_verifies_nothing():
    assert not verify_password(None, "correct horse")
    assert not verify_password(
        None, "a name that nobody has takes as long as one that somebody has"
    )
    assert not verify_password("no hash", "correct horse")
