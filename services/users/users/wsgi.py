"""What gunicorn loads: `gunicorn -c python:chassis.http.gunicorn_conf users.wsgi:app`."""

from chassis import logs, settings
from users.bootstrap import COMPONENT, create_app
from users.settings import UsersSettings

logs.configure(COMPONENT)
app = create_app(settings.load_settings(UsersSettings))
