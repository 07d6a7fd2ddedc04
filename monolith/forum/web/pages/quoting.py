"""A post as the beginning of a reply to it."""

import re

from forum.posts.port import Post

LONGEST = 1000  # characters; who wants more can copy it
_MARKS = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")


def quoted(post: Post) -> str:
    """Give a post's words as a Markdown quotation that names who wrote them."""
    words = post.body.strip()
    if len(words) > LONGEST:
        words = words[:LONGEST].rpartition(" ")[0] + " …"
    # A name is a name, whatever Markdown would make of it.
    lines = [_MARKS.sub(r"\\\1", f"{post.author.display_name} wrote:"), "", *words.split("\n")]
    return "\n".join(f"> {line}".rstrip() for line in lines) + "\n\n"
