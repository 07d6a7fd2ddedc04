"""Sessions of generated users, as the users service opens them."""

from bench.data.content import Person
from chassis import codec
from chassis.auth.tokens import Issuer
from chassis.clock import utc_now, uuid7
from users.model import MEMBER, SessionClaims


def open_session(person: Person, private_key: str) -> str:
    """Return a token that both sides accept, signed with their shared key."""
    claims = SessionClaims(person.username, person.display_name, MEMBER, suspended=False, ver=1)
    token, _ = Issuer(private_key).issue(person.id, uuid7(), codec.to_json(claims), utc_now())
    return token
