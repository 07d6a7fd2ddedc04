"""What gunicorn loads: `gunicorn -c python:chassis.http.gunicorn_conf posts.wsgi:app`."""

from chassis import logs, settings
from posts.bootstrap import COMPONENT, create_app
from posts.settings import PostsSettings

logs.configure(COMPONENT)
app = create_app(settings.load_settings(PostsSettings))
