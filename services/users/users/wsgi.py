"""The application that gunicorn loads as `users.wsgi:app`."""

from chassis.runtime import wsgi_app
from users.bootstrap import UsersService

app = wsgi_app(UsersService)
