"""A post quoted at the beginning of a reply."""

import re

from forum.posts.state import Post

MAX_QUOTE_LENGTH = 1000  # characters; longer texts are cut
_MARKS = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")


def quote_post(post: Post) -> str:
    """Return a post's text as a Markdown quotation with the author's name."""
    words = post.body.strip()
    if len(words) > MAX_QUOTE_LENGTH:
        words = words[:MAX_QUOTE_LENGTH].rpartition(" ")[0] + " …"
    # Escaped, so that a name is not interpreted as Markdown.
    lines = [_MARKS.sub(r"\\\1", f"{post.author.display_name} wrote:"), "", *words.split("\n")]
    return "\n".join(f"> {line}".rstrip() for line in lines) + "\n\n"
