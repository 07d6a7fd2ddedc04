"""The application that gunicorn loads as `threads.wsgi:app`."""

from chassis.runtime import wsgi_app
from threads.bootstrap import ThreadsService

app = wsgi_app(ThreadsService)
