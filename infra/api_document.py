"""Name of the session cookie of a running forum, read from the document of its API."""

from functools import cache

import requests


@cache
def session_cookie(url: str) -> str:
    """Return the name of the session's cookie, from the API document."""
    answer = requests.get(f"{url}/api/users/openapi.json", timeout=30)
    answer.raise_for_status()
    return str(answer.json()["components"]["securitySchemes"]["cookie"]["name"])
