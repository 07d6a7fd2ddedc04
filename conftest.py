"""What the tests of every component share; a fixture costs nothing where nobody asks for it."""

pytest_plugins = [
    "tests.support.bus",
    "tests.support.dynamo",
    "tests.support.exchange",
    "tests.support.logged",
    "tests.support.plugins.timeouts",
    "tests.support.people",
    "tests.support.plugins.xdist_scheduling",
    "tests.support.plugins.skips",
]
