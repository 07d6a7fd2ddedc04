"""Sessions of people who were filled in, as the owner of accounts opens them."""

from bench.content import Person
from chassis.auth.tokens import Issuer
from chassis.clock import utc_now, uuid7


def open_session(person: Person, private_key: str) -> str:
    """Give a token that both sides take, signed with the key that they share."""
    token, _ = Issuer(private_key).issue(
        subject=person.id,
        username=person.username,
        name=person.display_name,
        role="member",
        suspended=False,
        version=1,
        session=uuid7(),
        now=utc_now(),
    )
    return token
