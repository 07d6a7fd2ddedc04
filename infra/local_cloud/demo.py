"""Demo content of an offline deployment, whose tables begin empty.

A mark at the emulator names the component that owned the demo people. With another owner of users,
they are registered there, unless they have moved. Threads and posts are written once.
"""

from collections.abc import Callable
from dataclasses import replace

from infra.cdk.options import DeploymentOptions
from infra.demo.content import read
from infra.demo.load import load, sign_in_hint
from infra.local_cloud.target import DeploymentTarget

MARK = "/forum/demo-content"


def load_missing(
    place: DeploymentTarget, options: DeploymentOptions, *, say: Callable[[str], None]
) -> str:
    """Write what the deployment lacks through the forum's API; return how to sign in.

    Raises:
        DemoError: the forum's response broke its contract.
    """
    content, owner = read(), options.owner("users")
    parameters = place.client("ssm")
    found = parameters.get_parameters(Names=[MARK])["Parameters"]
    if not found:
        say("Loading the demo content ...")
        missing = content
    elif found[0]["Value"] == owner:
        return sign_in_hint(content)
    else:
        say(f"Looking for the demo people at {owner} ...")
        missing = replace(content, threads=(), posts=())
    for _ in load(place.address, missing):
        pass
    parameters.put_parameter(Name=MARK, Value=owner, Type="String", Overwrite=True)
    return sign_in_hint(content)
