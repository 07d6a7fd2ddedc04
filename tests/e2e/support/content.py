"""Content for visual tests: ordinary threads, a long one, and unusual texts."""

from dataclasses import dataclass
from typing import Any

from infra.demo.content import read
from tests.e2e.conftest import new_name
from tests.e2e.support.visitor import Visitor
from tests.support.eventually import EventSettling
from tests.support.harness import Stack

LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"


@dataclass(frozen=True)
class Content:
    """The threads, and the names of a member and a moderator."""

    thread: str
    odd: str
    person: str
    post: str
    member: str
    moderator: str


def fill(stack: Stack) -> Content:
    """Write the content through the API; all people have the usual password."""
    member, moderator = new_name("member"), new_name("moderator")
    api = Visitor(stack.base_url)
    api.register(member, display_name="Mara Lindqvist")
    bodies = [post.body for post in read().posts]
    titles = [thread.title for thread in read().threads]
    threads = [_make(api, "/api/threads", title=title) for title in titles[:24]]
    odd = _make(api, "/api/threads", title=f"What about {LONG_WORD}?")
    thread = threads[0]
    for body in bodies[:45]:
        post = _make(api, "/api/posts", thread_id=thread, body=body)
    for other in threads[1:]:
        _make(api, "/api/posts", thread_id=other, body=bodies[0])
    table = "|a|b|c|d|e|f|\n|-|-|-|-|-|-|\n|one|two|three|four|five|six|"
    _make(
        api, "/api/posts", thread_id=odd, body=f"{LONG_WORD * 3}\n\n    {LONG_WORD * 3}\n\n{table}"
    )
    tasks = "- [ ] open, with a text that needs more than one line on a narrow page\n- [x] *done*"
    _make(api, "/api/posts", thread_id=odd, body=f"{tasks}\n\nhttps://x.example/{LONG_WORD * 2}")
    other = Visitor(stack.base_url)
    other.register(moderator, display_name=LONG_WORD[:50])
    stack.moderator(moderator)
    _make(other, "/api/posts", thread_id=odd, body="> A quotation\n\n1. one\n2. two")
    EventSettling(stack).wait()
    person = api.open("/me").links["View your public profile"]
    return Content(f"/threads/{thread}", f"/threads/{odd}", person, post, member, moderator)


def _make(visitor: Visitor, path: str, **new: Any) -> str:
    answer = visitor.http.post(visitor.url + path, json=new, timeout=30)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
