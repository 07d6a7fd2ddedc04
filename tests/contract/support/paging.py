"""Reading lists to their end."""

from typing import Any

from tests.contract.support.client import Client

MOST_PAGES = 1_000


def walk(client: Client, path: str, **query: object) -> list[dict[str, Any]]:
    """Follow a list from page to page; how many pages a used forum fills is in no transcript."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    with client.transcript.paused():
        for _ in range(MOST_PAGES):
            page = client.send("GET", path, query={**query, **cursor}).expect()
            assert len(page["items"]) <= int(str(query.get("limit", 20)))
            items += page["items"]
            if page["next"] is None:
                return items
            cursor = {"cursor": page["next"]}
    message = f"{path} has no end"
    raise AssertionError(message)
