"""Fixtures for the tests of all components; unused fixtures cost nothing."""

from infra import local_environment

# Before anything builds a client, or starts a program that inherits the environment.
local_environment.isolate()

pytest_plugins = [
    "tests.support.bus",
    "tests.support.dynamo",
    "tests.support.exchange",
    "tests.support.logged",
    "tests.support.plugins.measurements",
    "tests.support.plugins.timeouts",
    "tests.support.people",
    "tests.support.plugins.xdist_scheduling",
    "tests.support.plugins.time_limit",
    "tests.support.plugins.skips",
]
