"""Program of a check: the resources of a part of the CDK app, at the stage of the monolith alone.

Its arguments are the part, `edge`, `task` or `all`, and a folder. It prints a list with the
resources of each stack, first of a lab without a certificate, then of one with it.
"""

import json
import sys
from pathlib import Path
from typing import Any

from aws_cdk import App

from infra import stages
from infra.cdk import names
from infra.cdk.app import DATA, EDGE, FLAGS, NETWORK, build
from infra.cdk.options import DeploymentOptions
from infra.cdk.stacks.component import ComponentStack
from infra.cdk.stacks.data import Data
from infra.cdk.stacks.load_balancer import LoadBalancer
from infra.cdk.stacks.network import Network

CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/0f1e2d3c"
LATER = "Lab 3.3"
"""The label of the step that comes after the task: its function may be empty."""


def main(part: str, folder: str) -> None:
    """Print the resources."""
    certificates = ("", CERTIFICATE) if part == "edge" else ("",)
    found = [_synthesise(part, Path(folder, str(n)), c) for n, c in enumerate(certificates)]
    sys.stdout.write(json.dumps(found) + "\n")


def _synthesise(part: str, folder: Path, certificate: str) -> list[dict[str, Any]]:
    options = DeploymentOptions(extracted=frozenset(), certificate=certificate)
    app = App(context=FLAGS, outdir=str(folder))
    if part == "all":
        build(app, options)
    else:
        network = Network(app, names.stack(options, NETWORK), options=options)
        edge = LoadBalancer(app, names.stack(options, EDGE), options=options, network=network)
        if part == "task":
            data = Data(app, names.stack(options, DATA), options=options, network=network)
            try:
                _add_monolith(app, options, network, data, edge)
            except NotImplementedError as error:
                if str(error) != LATER:
                    raise
    return [
        resource
        for stack in app.synth().stacks
        for resource in stack.template.get("Resources", {}).values()
    ]


def _add_monolith(
    app: App, options: DeploymentOptions, network: Network, data: Data, edge: LoadBalancer
) -> None:
    ComponentStack(
        app,
        names.stack(options, stages.MONOLITH),
        options=options,
        name=stages.MONOLITH,
        network=network,
        data=data,
        edge=edge,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
