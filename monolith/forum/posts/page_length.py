"""Length of a page of posts."""

from collections.abc import Sequence

from forum.posts.state import Post

MAX_PAGE_SIZE = 512 * 1024
"""Characters of Markdown and HTML on a page of posts, which otherwise ends early."""


def page_length(posts: Sequence[Post]) -> int:
    """Return the number of leading posts that fit on one page, at least one."""
    size = 0
    for number, post in enumerate(posts):
        size += len(post.body) + len(post.html)
        if size > MAX_PAGE_SIZE and number:
            return number
    return len(posts)
