"""Write the templates: `python -m infra.cdk extracted=users environment=lab`, for `make synth`.

The CDK's command line passes the context itself (`cdk deploy -c extracted=users`).
"""

import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from aws_cdk import App, cx_api

from infra.cdk import options as choices
from infra.cdk.app import FLAGS, build
from infra.cdk.options import DeploymentOptions, OptionsError

FOLDER = "cdk.out"
OPEN_WITHOUT_TLS = (
    "Warning: everybody can reach this lab, and passwords travel without encryption. Set allow to"
    " your own network (allow=192.0.2.0/24), or certificate for HTTPS.\n"
)


def main(arguments: Sequence[str]) -> int:
    """Synthesize the templates; return the exit code."""
    began = time.monotonic()
    if "CDK_OUTDIR" not in os.environ:  # the CDK's command line sets its own folder
        shutil.rmtree(FOLDER, ignore_errors=True)
    app = App(context=FLAGS, outdir=os.environ.get("CDK_OUTDIR", FOLDER))
    try:
        options = choices.read_options(_context(app, arguments))
    except OptionsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.open_without_tls:
        sys.stderr.write(OPEN_WITHOUT_TLS)
    build(app, options)
    made = app.synth()
    if "CDK_OUTDIR" not in os.environ:
        for stack in made.stacks:
            resources = len(stack.template.get("Resources", {}))
            sys.stdout.write(f"  {stack.stack_name:<20} {resources:>3} resources\n")
        sys.stdout.write(f"Created {FOLDER} in {time.monotonic() - began:.1f} s\n")
    return 0


def synthesise(options: DeploymentOptions, folder: Path) -> cx_api.CloudAssembly:
    """Synthesize the templates of a deployment into a folder."""
    app = App(context=FLAGS, outdir=str(folder))
    build(app, options)
    return app.synth()


def _context(app: App, arguments: Sequence[str]) -> dict[str, str]:
    """Read the context from the CDK's command line, or from `name=value` arguments."""
    given = {}
    for name in (*choices.KNOWN, *choices.RENAMED):
        value = app.node.try_get_context(name)
        if value is not None:
            given[name] = str(value)
    for argument in arguments:
        name, _, value = argument.partition("=")
        given[name] = value
    return given
