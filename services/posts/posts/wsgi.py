"""The application that gunicorn loads as `posts.wsgi:app`."""

from chassis.runtime import wsgi_app
from posts.bootstrap import PostsService

app = wsgi_app(PostsService)
