"""The last error in an output is found, with the workspace's line."""

from pathlib import Path

from labs.tracebacks import RaisedError, find_last_error

OUTPUT = """2026-11-27 ERROR unhandled error
Traceback (most recent call last):
  File "/labs/services/users/users/service.py", line 9, in register
    raise ValueError(1)
ValueError: 1
2026-11-27 ERROR unhandled error
Traceback (most recent call last):
  File "/labs/.venv/lib/flask/app.py", line 917, in full_dispatch_request
    rv = self.dispatch_request()
  File "/labs/services/users/users/dynamodb/store.py", line 68, in add
    raise NotImplementedError("Lab 6.1")
  File "/usr/lib/python3.11/json.py", line 3, in loads
NotImplementedError: Lab 6.1
2026-11-27 INFO access: request status=500
"""


def test_last_error_and_its_line_are_found() -> None:
    found = find_last_error(OUTPUT, Path("/labs"))
    where = "services/users/users/dynamodb/store.py:68"
    assert found == RaisedError("NotImplementedError: Lab 6.1", where)
    assert found.is_unwritten


def test_output_without_traceback_has_no_error() -> None:
    assert find_last_error("all is well", Path("/labs")) is None


def test_syntax_error_has_its_line() -> None:
    output = """Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
  File "/labs/infra/gateway/http_manager.py", line 164
    return {
           ^
SyntaxError: '{' was never closed
"""
    found = find_last_error(output, Path("/labs"))
    assert found == RaisedError(
        "SyntaxError: '{' was never closed", "infra/gateway/http_manager.py:164"
    )
