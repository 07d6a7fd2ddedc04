"""Removal of resources that the emulator does not support, the only change of the templates.

Only whole resources are removed, each for a reason; all others are the same as on AWS.
"""

import copy
from collections.abc import Iterator
from typing import Any

Template = dict[str, Any]

FIREWALL = "the emulator's load balancer has no firewall"
REASONS = {
    "AWS::EC2::SecurityGroupIngress": "containers on one network may all reach each other",
    "AWS::EC2::SecurityGroupEgress": "containers on one network may all reach each other",
    "AWS::EC2::FlowLog": "there is no traffic of a VPC to log",
    "AWS::ApplicationAutoScaling::ScalableTarget": "nothing scales by itself here",
    "AWS::ApplicationAutoScaling::ScalingPolicy": "nothing scales by itself here",
    "AWS::WAFv2::WebACL": FIREWALL,
    "AWS::WAFv2::WebACLAssociation": FIREWALL,
    "AWS::WAFv2::LoggingConfiguration": FIREWALL,
}


class StillReferencedError(Exception):
    """A remaining resource or output refers to a removed resource."""


def remove_unsupported(template: Template) -> tuple[Template, dict[str, str]]:
    """Return the template without unsupported resources, and the removed ids with their kinds.

    Raises:
        StillReferencedError: a remaining resource or output refers to one of them.
    """
    made = copy.deepcopy(template)
    resources = made.get("Resources", {})
    kinds: dict[str, str] = {name: resource["Type"] for name, resource in resources.items()}
    gone = {logical_id: found for logical_id, found in kinds.items() if found in REASONS}
    for logical_id in gone:
        del resources[logical_id]
    for resource in resources.values():
        _forget(resource, gone)
    needed = set(_references(made)).intersection(gone)
    if needed:
        msg = f"still referred to: {', '.join(sorted(needed))}"
        raise StillReferencedError(msg)
    return made, gone


def _forget(resource: dict[str, Any], gone: dict[str, str]) -> None:
    """Remove a resource's dependencies on removed resources."""
    before = resource.get("DependsOn", [])
    before = [before] if isinstance(before, str) else before
    after = [each for each in before if each not in gone]
    if len(after) == len(before):
        return
    resource.pop("DependsOn")
    if after:
        resource["DependsOn"] = after


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            if name == "Ref" and isinstance(part, str):
                yield part
            elif name == "Fn::GetAtt":
                yield part[0] if isinstance(part, list) else str(part).partition(".")[0]
            else:
                yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)
