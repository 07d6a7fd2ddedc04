"""A small component on the chassis alone, without storage."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, Field

from chassis.auth.sessions import Sessions
from chassis.auth.tokens import Verifier
from chassis.errors import Unavailable
from chassis.http import app as web
from chassis.http.requests import PageParameters, RequestBody, read_precondition
from chassis.http.responses import json_response
from chassis.http.text_fields import MULTI_LINE, SINGLE_LINE
from tests.support.people import SECRET_KEY, Keys


@dataclass(frozen=True)
class Claims:
    """The session claims of the sample component."""

    name: str


class NewNote(RequestBody):
    text: Annotated[str, Field(max_length=100), MULTI_LINE]
    title: Annotated[str, SINGLE_LINE] = Field(default_factory=str)
    count: int = Field(default_factory=int)


class NotePath(BaseModel):
    note_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{1,64}$")]


class Health:
    """The readiness check behind `/readyz`."""

    def __init__(self) -> None:
        self.broken = False

    def check(self) -> None:
        if self.broken:
            detail = "The notes can't be reached right now."
            raise Unavailable(detail)


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def app(session_keys: Keys, health: Health) -> Flask:
    sessions = Sessions(Verifier(session_keys.public, Claims))
    app = web.create_app("notes", "r7", {"notes": health.check}, secret=SECRET_KEY)
    bp = APIBlueprint("notes", __name__, url_prefix="/api/notes")

    @bp.post("")
    def create(body: NewNote):
        return json_response(body, 201)

    @bp.get("")
    def listing(query: PageParameters):
        return {"limit": query.limit, "cursor": query.cursor}

    @bp.get("/mine")
    def mine():
        return {"subject": sessions.require().subject}

    @bp.delete("/mine")
    def clear():
        sessions.require()
        return {}

    @bp.post("/crash")
    def crash(body: NewNote):
        raise RuntimeError("the engine room is on fire")

    @bp.get("/<id:note_id>")
    def get(path: NotePath):
        return {"id": path.note_id, "versions": sorted(read_precondition() or ())}

    @bp.get("/<id:note_id>/text")
    def text(path: NotePath):
        return json_response(NewNote(text=path.note_id), version=3)

    app.register_api(bp)
    return app


@pytest.fixture
def client(app: Flask) -> Iterator[FlaskClient]:
    with app.test_client() as client:
        yield client
