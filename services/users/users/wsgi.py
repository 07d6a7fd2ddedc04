"""What gunicorn loads: `gunicorn -c python:chassis.gunicorn_conf users.wsgi:app`."""

from chassis import logs, settings
from users.app import COMPONENT, create_app
from users.settings import UsersSettings

logs.configure(COMPONENT)
app = create_app(settings.load(UsersSettings))
