"""The application that gunicorn loads as `forum.wsgi:app`."""

from chassis import logs, settings
from forum.app import create_app
from forum.bootstrap import COMPONENT
from forum.settings import ForumSettings

logs.configure(COMPONENT)
app = create_app(settings.load_settings(ForumSettings))
