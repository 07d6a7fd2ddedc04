"""A post quoted at the beginning of a reply."""

import re
import unicodedata

from flask import url_for

from forum.posts.state import Post

MAX_QUOTE_LENGTH = 1000  # characters; longer texts are cut
_LATEST_CUT, _EARLIEST_CUT = MAX_QUOTE_LENGTH, MAX_QUOTE_LENGTH - 100
# What would end the text of a link, or be more than a character in it.
_MARKS = re.compile(r"([\\`*_\[\]<>&!~|])")


def quote_post(post: Post) -> str:
    """Return a post's text as a Markdown quotation, with a link to the post.

    The first line alone says whose words follow; scripts use it for a selection.
    """
    words = post.body.strip()
    beginning = _cut(words)
    lines = [f"{_attribution(post)}:", "", *beginning.split("\n")]
    if beginning != words:
        # Before the words, which may end within a block of code.
        lines[1:1] = ["", f"(The first {len(beginning):,} of {len(words):,} characters.)"]
    return "\n".join(f"> {line}".rstrip() for line in lines) + "\n\n"


def _attribution(post: Post) -> str:
    name = _MARKS.sub(r"\\\1", post.author.display_name)
    anchor = f"post-{post.id}"
    address = url_for("thread.page", thread_id=post.thread_id, at=post.id, _anchor=anchor)
    return f"[{name} wrote]({address})"


def _cut(words: str) -> str:
    """Return the beginning of a long text: up to a space if there is one, else whole letters."""
    if len(words) <= MAX_QUOTE_LENGTH:
        return words
    spaces = [found.start() for found in re.finditer(r"\s", words[: _LATEST_CUT + 1])]
    if spaces and spaces[-1] >= _EARLIEST_CUT:
        return words[: spaces[-1]].rstrip()
    end = _LATEST_CUT
    while end > _EARLIEST_CUT and _continues(words[end - 1], words[end]):
        end -= 1
    return words[:end]


def _continues(before: str, character: str) -> bool:
    """Return whether a character belongs to the one before it."""
    joined = "\u200d" in (before, character)
    return (
        joined or unicodedata.category(character)[0] == "M" or unicodedata.combining(character) > 0
    )
