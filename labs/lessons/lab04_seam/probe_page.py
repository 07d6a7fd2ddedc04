"""Program of a check: the page of a user while the users service fails in several ways.

Its arguments are a folder for the database, and pairs `name=address` of peers. It prints a line for
each page: name, status, seconds, and whether the page says that it may be out of date.
"""

import json
import logging
import sys
import time

from chassis.client.service_client import ServiceClient
from chassis.clock import utc_now, uuid7
from chassis.errors import Unavailable
from chassis.headers import DEADLINE
from forum.app import create_app
from forum.commands.migrate import upgrade
from forum.database import Database
from forum.settings import ForumSettings
from forum.users.persistence import anonymise, upsert
from infra.keypair import generate_keypair
from labs.lessons.lab04_seam.people import make_state

DEADLINE_MS = "1000"
RETRIED = "slow, without a deadline"
SHORT_SECONDS = 0.3
_OLD = "may be slightly out of date"


def main(folder: str, *peers: str) -> None:
    """Print what the pages show."""
    _, public = generate_keypair()
    url = f"sqlite:///{folder}/forum.db"
    upgrade(url)
    ada, erased = uuid7(), uuid7()
    database = Database(url)
    with database.writing() as session:
        for user_id in (ada, erased):
            upsert(session, user_id, 1, make_state(f"user-{user_id}", "Ada"))
        anonymise(session, erased, 2, utc_now())
    for pair in peers:
        name, _, address = pair.partition("=")
        if name == RETRIED:
            _call(name, address)
            continue
        settings = ForumSettings.model_validate(
            {
                "database_url": url,
                "secret_key": "a secret key of a check, 32 characters or more",
                "session_public_keys": public,
                "extracted": "users",
                "users_url": address,
            }
        )
        client = create_app(settings).test_client(use_cookies=False)
        asked = {name: ada}
        if name == "refuses":
            asked |= {"unknown": uuid7(), "erased": erased}
        for label, user_id in asked.items():
            began = time.monotonic()
            page = client.get(f"/users/{user_id}", headers={DEADLINE: DEADLINE_MS})
            _say(label, page.status_code, began, is_old=_OLD in page.text)


def _call(name: str, address: str) -> None:
    """Call a slow peer once, by a client with a short timeout."""
    client = ServiceClient("users", address, read_timeout=SHORT_SECONDS)
    began, status = time.monotonic(), 200
    try:
        client.request("GET", "/")
    except Unavailable:
        status = 503
    except Exception:
        logging.exception("a call failed")
        status = 500
    _say(name, status, began, is_old=False)


def _say(name: str, status: int, began: float, *, is_old: bool) -> None:
    seconds = time.monotonic() - began
    sys.stdout.write(json.dumps([name, status, seconds, is_old]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
