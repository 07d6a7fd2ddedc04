"""What the tests of every component share; a fixture costs nothing where nobody asks for it."""

pytest_plugins = [
    "tests.bus",
    "tests.dynamo",
    "tests.exchange",
    "tests.logged",
    "tests.patience",
    "tests.people",
    "tests.schedule",
    "tests.skips",
]
