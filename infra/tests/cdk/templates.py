"""Synthesized templates, with queries by types and properties, never by logical ids."""

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from infra.cdk import names
from infra.cdk.options import PRODUCTION, X86_64, DeploymentOptions, read_options
from infra.cdk.synth import synthesise

CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/0f1e2d3c"
EVERYTHING = "users,threads,posts"
Resource = dict[str, Any]


class Templates:
    """All templates of a deployment."""

    def __init__(self, options: DeploymentOptions) -> None:
        self.options = options
        self.folder = Path(tempfile.mkdtemp(prefix="forum-cdk-"))
        made = synthesise(options, self.folder)
        self.stacks: dict[str, dict[str, Any]] = {s.stack_name: s.template for s in made.stacks}

    def stack(self, what: str) -> dict[str, Any]:
        """Return a template: `network`, `posts`."""
        return self.stacks[names.stack(self.options, what)]

    def all(self, kind: str, what: str | None = None) -> Iterator[Resource]:
        """Yield the properties of all resources of a type, in one template or in all."""
        stacks = [self.stack(what)] if what else self.stacks.values()
        for stack in stacks:
            for resource in stack.get("Resources", {}).values():
                if resource["Type"] == kind:
                    properties: Resource = resource.get("Properties", {})
                    yield properties

    def one(self, kind: str, what: str | None = None) -> Resource:
        """Return the properties of the one resource of a type."""
        (found,) = self.all(kind, what)
        return found

    def task(self, program: str) -> Resource:
        """Return a program's task definition."""
        family = names.family(self.options, program)
        (found,) = (
            each for each in self.all("AWS::ECS::TaskDefinition") if each["Family"] == family
        )
        return found

    def container(self, program: str) -> Resource:
        """Return a program's own container."""
        defined: list[Resource] = self.task(program)["ContainerDefinitions"]
        (found,) = (each for each in defined if each["Name"] == program)
        return found

    def service(self, program: str) -> Resource:
        """Return a program's ECS service."""
        (found,) = (s for s in self.all("AWS::ECS::Service") if s["ServiceName"] == program)
        return found

    def rules(self) -> list[Resource]:
        """Return all listener rules, by priority."""
        found = self.all("AWS::ElasticLoadBalancingV2::ListenerRule")
        return sorted(found, key=lambda rule: int(rule["Priority"]))


def templates(**context: str) -> Templates:
    """Return the templates of a context, synthesized once in a process."""
    if context.get("environment") == PRODUCTION:
        context.setdefault("certificate", CERTIFICATE)
    return _synthesized(read_options({"architecture": X86_64} | context))


# By options, since several contexts, such as `extracted=users,threads,posts` and none, are equal.
_synthesized = cache(Templates)


def settings(container: Resource) -> dict[str, Any]:
    """Return a container's environment as a plain dict."""
    return {entry["Name"]: entry["Value"] for entry in container["Environment"]}


def texts(value: Any) -> str:
    """Return all texts in a value, concatenated, such as an ARN with references."""
    if isinstance(value, dict):
        return "".join(texts(each) for each in value.values())
    if isinstance(value, list):
        return "".join(texts(each) for each in value)
    return str(value)


def patterns(rule: Resource) -> list[str]:
    """Return the paths of a rule; none for one that is held back."""
    for condition in rule["Conditions"]:
        if condition["Field"] == "path-pattern":
            values: list[str] = condition["PathPatternConfig"]["Values"]
            return values
    return []
