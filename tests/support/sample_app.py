"""A small component for tests that need real processes: `gunicorn tests.support.sample_app:app`.

Notes are lines of the file NOTES_FILE, so that it can be counted what was written, and by whom.
"""

import os
import time
from pathlib import Path

from flask import jsonify, request

from chassis.auth.passwords import hash_password
from chassis.errors import Unavailable
from chassis.http import app as web

NOTES = Path(os.environ["NOTES_FILE"])
# As long as this exists, the component is not ready.
BROKEN = NOTES.with_name(NOTES.name + ".broken")
# As long as this exists, nobody is signed in.
HELD = NOTES.with_name(NOTES.name + ".held")


def _check() -> None:
    if BROKEN.exists():
        raise Unavailable("The notes can't be reached right now.")


app = web.create_app(
    "notes", os.environ.get("REVISION", "r1"), {"notes": _check}, secret="of tests"
)


@app.get("/api/notes")
def listing():
    """Respond after some seconds."""
    time.sleep(float(request.args.get("after", "0")))
    return jsonify(pid=os.getpid())


@app.post("/api/notes")
def write():
    """Write a note after some seconds."""
    time.sleep(float(request.args.get("after", "0")))
    with NOTES.open("a") as file:
        file.write(f"{request.get_json()['id']} {os.getpid()}\n")
    return jsonify(pid=os.getpid()), 201


@app.post("/sign-in")
def sign_in():
    """Hash a password when sign-ins are not held."""
    while HELD.exists():
        time.sleep(0.02)
    hash_password("a password")
    return jsonify(pid=os.getpid())
