"""What gunicorn loads: `gunicorn -c python:chassis.gunicorn_conf posts.wsgi:app`."""

from chassis import logs, settings
from posts.app import COMPONENT, create_app
from posts.settings import PostsSettings

logs.configure(COMPONENT)
app = create_app(settings.load(PostsSettings))
