"""What gunicorn loads: `gunicorn -c python:chassis.http.gunicorn_conf threads.wsgi:app`."""

from chassis import logs, settings
from threads.bootstrap import COMPONENT, create_app
from threads.settings import ThreadsSettings

logs.configure(COMPONENT)
app = create_app(settings.load_settings(ThreadsSettings))
