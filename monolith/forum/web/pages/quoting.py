"""A post as the beginning of a reply to it."""

import re

from forum.posts.state import Post

MAX_QUOTE_LENGTH = 1000  # characters; who wants more can copy it
_MARKS = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")


def quote_post(post: Post) -> str:
    """Return a post's words as a Markdown quotation that names who wrote them."""
    words = post.body.strip()
    if len(words) > MAX_QUOTE_LENGTH:
        words = words[:MAX_QUOTE_LENGTH].rpartition(" ")[0] + " …"
    # A name is a name, whatever Markdown would make of it.
    lines = [_MARKS.sub(r"\\\1", f"{post.author.display_name} wrote:"), "", *words.split("\n")]
    return "\n".join(f"> {line}".rstrip() for line in lines) + "\n\n"
