"""A first session with the clients that openapi-python-client makes from the documents."""

import sys

from posts_client import AuthenticatedClient as PostsClient
from posts_client.api.posts import change_post, create_post, get_post, list_posts_in_thread
from posts_client.models import NewPost, PostChange
from threads_client import AuthenticatedClient as ThreadsClient
from threads_client.api.threads import create_thread, get_thread
from threads_client.models import NewThread
from users_client import AuthenticatedClient, Client
from users_client.api.users import get_me, register, sign_in, sign_out
from users_client.models import Credentials, NewUser

PASSWORD = "correct horse battery"


def main(url: str, username: str) -> None:
    """Run the session."""
    anyone = Client(base_url=url)
    user = register.sync(client=anyone, body=NewUser(username=username, password=PASSWORD))
    assert user.username == username
    session = sign_in.sync(client=anyone, body=Credentials(username=username, password=PASSWORD))
    member = AuthenticatedClient(base_url=url, token=session.token)
    assert get_me.sync(client=member) == user

    threads = ThreadsClient(base_url=url, token=session.token)
    new = NewThread(title="A first thread")
    key = f"thread-{username}"
    thread = create_thread.sync(client=threads, body=new, idempotency_key=key)
    assert get_thread.sync(thread.id, client=threads).title == "A first thread"
    assert create_thread.sync(client=threads, body=new, idempotency_key=key).id == thread.id

    posts = PostsClient(base_url=url, token=session.token)
    reply = create_post.sync(client=posts, body=NewPost(thread_id=thread.id, body="A *first* post"))
    assert reply.html.strip() == "<p>A <em>first</em> post</p>"
    etag = get_post.sync_detailed(reply.id, client=posts).headers["ETag"]
    known = get_post.sync_detailed(reply.id, client=posts, if_none_match=etag)
    assert (known.status_code, known.parsed) == (304, None)
    change = PostChange(body="Edited")
    assert change_post.sync(reply.id, client=posts, body=change, if_match=etag).body == "Edited"
    late = change_post.sync_detailed(reply.id, client=posts, body=change, if_match=etag)
    assert (late.status_code, late.parsed.type_) == (412, "urn:problem:stale")
    listed = list_posts_in_thread.sync(thread.id, client=posts)
    assert [(post.body, post.author.id) for post in listed.items] == [("Edited", user.id)]
    assert sign_out.sync_detailed(client=member).status_code == 204


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.write("the session is complete\n")
