"""The rules about posts."""

from collections.abc import Sequence

from forum.posts.port import Post

MAX_PAGE_SIZE = 512 * 1024
"""So many characters of Markdown and HTML a page of posts may have; it ends early otherwise."""


def page_length(posts: Sequence[Post]) -> int:
    """Tell how many posts from the first on fit on one page: always one, and no huge pages."""
    size = 0
    for number, post in enumerate(posts):
        size += len(post.body) + len(post.html)
        if size > MAX_PAGE_SIZE and number:
            return number
    return len(posts)
