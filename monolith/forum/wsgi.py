"""The application that gunicorn loads as `forum.wsgi:app`."""

from chassis import logs, settings
from forum.app import create_app
from forum.bootstrap import COMPONENT
from forum.settings import ForumSettings

configured = settings.load_settings(ForumSettings)
logs.configure(COMPONENT, configured.log_format)
app = create_app(configured)
