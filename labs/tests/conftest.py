"""Labs that need Docker are tested where there is an engine; elsewhere they say so."""

import pytest

from labs import containers
from labs.course import Lab, Step, read_course


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of labs with Docker if there is no engine; FAIL_ON_SKIP makes it a failure."""
    with_docker = {lab.number for lab in read_course().labs if lab.docker}
    found = [item for item in items if _labs(item) & with_docker]
    if not found or containers.is_available():
        return
    reason = "this lab needs Docker, and there is no engine with Compose"
    for item in found:
        item.add_marker(pytest.mark.skip(reason=reason))


def _labs(item: pytest.Item) -> set[int]:
    """Return the numbers of the labs that a test is about; a step's texts need no engine."""
    if item.name.startswith("test_step_is_complete"):
        return set()
    parameters = getattr(item, "callspec", None)
    given = parameters.params.values() if parameters else ()
    steps = {each.lab for each in given if isinstance(each, Step)}
    return steps | {each.number for each in given if isinstance(each, Lab)}
