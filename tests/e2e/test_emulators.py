"""Web pages of other sites and the emulators of a local run, in a real browser."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest
from playwright.sync_api import Browser, Error, Page

from infra import dynoxide
from infra.runner import stage_processes
from infra.runner.config import BLOCKED_BY_BROWSERS, DATASTORE
from infra.runner.free_port import free_port
from tests.support.servers import Server, reply

READ = """port => fetch(`http://127.0.0.1:${port}/`, {
  method: "POST",
  headers: {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "DynamoDB_20120810.ListTables",
    "X-Amz-Date": "20260131T120000Z",
    "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260131/x/dynamodb/aws4_request," +
      " SignedHeaders=host, Signature=x",
  },
  body: "{}",
}).then(response => response.text(), error => `${error}`)"""


def answer(request: BaseHTTPRequestHandler, _: bytes) -> None:
    reply(request, 200, b"<!doctype html><title>Another site</title>")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a page of another origin."""
    with Server(answer) as server:
        page = browser.new_page()
        page.goto(f"http://localhost:{server.port}/")
        yield page
        page.close()


@contextmanager
def running_dynoxide(ports: Iterator[int]) -> Iterator[int]:
    """Run Dynoxide on the first port that it gets."""
    for port in ports:
        command = [dynoxide.ensure_installed(), "serve", "--port", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while process.poll() is None:
                if stage_processes.is_ready(port, DATASTORE):
                    yield port
                    return
                time.sleep(0.02)
        finally:
            process.kill()
            process.wait(10)
    pytest.fail("no port is free")


def test_page_cannot_reach_dynoxide_on_a_blocked_port(page: Page) -> None:
    # Dynoxide itself trusts every page.
    with running_dynoxide(iter([free_port()])) as port:
        assert page.evaluate(READ, port) == '{"TableNames":[]}'
    with running_dynoxide(iter(sorted(BLOCKED_BY_BROWSERS))) as port:
        assert page.evaluate(READ, port) == "TypeError: Failed to fetch"


def test_browser_blocks_each_allowed_port_under_any_name(page: Page) -> None:
    for port in BLOCKED_BY_BROWSERS:
        for host in ("127.0.0.1", "localhost", "rebound.localhost"):
            with pytest.raises(Error, match="ERR_UNSAFE_PORT"):
                page.goto(f"http://{host}:{port}/")
