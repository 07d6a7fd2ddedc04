"""The status of offline deployments, as far as it needs no container engine."""

from infra.local_cloud.status import describe
from infra.local_cloud.target import DeploymentTarget
from infra.runner.free_port import free_port


def test_status_of_an_unreachable_emulator_says_so() -> None:
    place = DeploymentTarget("forum-other", free_port())
    assert list(describe(place)) == [
        f"forum-other (make deploy-local) at {place.address}",
        "the emulator is unreachable",
    ]
