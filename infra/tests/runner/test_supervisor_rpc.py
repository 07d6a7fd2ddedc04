"""Supervisord's remote interface."""

import pytest
from supervisor.xmlrpc import Faults

from infra.runner import supervisor_rpc


@pytest.mark.parametrize("name", ["SHUTDOWN_STATE", "ALREADY_STARTED", "NOT_RUNNING"])
def test_fault_has_the_code_of_supervisord(name: str) -> None:
    assert getattr(supervisor_rpc, name) == getattr(Faults, name)
