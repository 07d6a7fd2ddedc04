"""The cost of an idle deployment, computed from the templates: `make cost`.

It includes everything charged by the hour or month, independent of use: the minimum of tasks, the
load balancer, addresses, database, endpoints, secrets and alarms. Requests, traffic, logs and
stored data are extra; for a class of students they cost cents.
"""

import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.cdk import components
from infra.cdk.constructs import alarms
from infra.cdk.constructs.capacity import ON_DEMAND_BASE
from infra.cdk.options import (
    FARGATE_SPOT,
    PRODUCTION,
    X86_64,
    DeploymentOptions,
    OptionsError,
    read_options,
)
from infra.cdk.synth import synthesise

FILE = Path(__file__).with_name("prices.toml")
HOURS = 730
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/an-example"
COLUMNS = {
    "lab idle": {"idle": "on"},
    "lab running": {},
    "production": {"environment": PRODUCTION, "certificate": CERTIFICATE},
}


@dataclass(frozen=True)
class Price:
    """A list price in dollars, None if it is not known."""

    dollars: float | None
    hourly: bool
    source: str
    date: str

    def month(self, amount: float) -> float | None:
        """Return the monthly cost of an amount."""
        if self.dollars is None:
            return None
        return amount * self.dollars * (HOURS if self.hourly else 1)


def prices(file: Path = FILE) -> dict[str, Price]:
    """Read the prices."""
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    return {
        entry["what"]: Price(
            entry.get("dollars"), entry["per"] == "hour", entry["source"], entry["date"]
        )
        for entry in document["price"]
    }


def amounts(options: DeploymentOptions, stacks: Mapping[str, dict[str, Any]]) -> Counter[str]:
    """Count the charged resources in the templates, by the names of prices."""
    found: Counter[str] = Counter()
    for kind, properties in _resources(stacks):
        for what, amount in _paid(kind, properties, options):
            found[what] += amount  # type: ignore[assignment]
    return found


def main(arguments: Sequence[str]) -> int:
    """Print the table for a context, such as `extracted=users`; return the exit code."""
    given = dict(argument.partition("=")[::2] for argument in arguments)
    # The same amounts on every machine.
    context = {"architecture": X86_64} | given
    try:
        columns = {name: read_options(context | own) for name, own in COLUMNS.items()}
    except OptionsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    known = prices()
    counted = {}
    for name, options in columns.items():
        with tempfile.TemporaryDirectory() as folder:
            made = synthesise(options, Path(folder))
            counted[name] = amounts(options, {s.stack_name: s.template for s in made.stacks})
    sys.stdout.write(table(known, counted))
    return 0


def table(known: Mapping[str, Price], counted: Mapping[str, Counter[str]]) -> str:
    """Return the table of amounts and dollars per month."""
    lines = [f"{'dollars a month':<24}" + "".join(f"{name:>22}" for name in counted)]
    sums = dict.fromkeys(counted, 0.0)
    blank = []
    for what, price in known.items():
        cells = []
        for name, amount in counted.items():
            cost = price.month(amount[what])
            if cost is None:
                cells.append("?" if amount[what] else "")
            elif amount[what]:
                sums[name] += cost
                cells.append(f"{amount[what]:>8g} {cost:>10.2f}")
            else:
                cells.append("")
        if any(cells):
            lines.append(f"{what:<24}" + "".join(f"{cell:>22}" for cell in cells))
        if price.dollars is None and any(cells):
            blank.append(what)
    lines.append(f"{'together':<24}" + "".join(f"{total:>22.2f}" for total in sums.values()))
    lines.append(f"\nNot known, so not in the sum: {', '.join(blank) or 'nothing'}.")
    lines.append("By use, on top: requests, traffic, logs, DynamoDB, SNS, SQS, backups.")
    lines.append("`lab idle`: the database is stopped (docs/deploy.md).")
    return "\n".join([*lines, "", *_sources(known)]) + "\n"


def _sources(known: Mapping[str, Price]) -> Iterator[str]:
    yield "List prices, and the pages that say so:"
    for what, price in known.items():
        if price.dollars is not None:
            unit = "an hour" if price.hourly else "a month"
            yield f"{what:<20} {price.dollars:>9g} {unit}  {price.date:<8} {price.source}"


def _paid(
    kind: str, properties: dict[str, Any], options: DeploymentOptions
) -> Iterator[tuple[str, float]]:
    awake = not options.idle
    if kind in _MACHINES:
        if awake:
            yield from _machines(kind, properties, options)
    elif kind == "AWS::ElasticLoadBalancingV2::LoadBalancer":
        yield "load-balancer", 1
        yield "public-ipv4", len(properties["Subnets"])
    elif kind == "AWS::RDS::DBInstance":
        copies = 2 if properties.get("MultiAZ") else 1
        if awake:
            yield str(properties["DBInstanceClass"]), copies
        yield "database-gib", copies * int(properties["AllocatedStorage"])
    elif kind == "AWS::EC2::VPCEndpoint" and properties["VpcEndpointType"] == "Interface":
        yield "interface-endpoint", len(properties["SubnetIds"])
    elif kind == "AWS::CloudWatch::Alarm":
        stats = [m for m in properties.get("Metrics", ()) if "MetricStat" in m]
        yield "alarm-metric", len(stats) or 1
    elif kind == "AWS::Logs::MetricFilter" and awake:
        (made,) = properties["MetricTransformations"]
        # A metric is paid for in hours with data; that of clocks has none while they agree.
        yield "own-metric", 0 if made["MetricName"].endswith(alarms.SKEW) else 1
    elif kind == "AWS::WAFv2::WebACL":
        yield "firewall", 1
        yield "firewall-rule", len(properties["Rules"])
    elif kind == "AWS::ECS::Cluster":
        yield "container-insights", 1 if awake else 0
    elif kind in _EACH:
        yield _EACH[kind], 1


_MACHINES = {
    "AWS::ECS::Service",
    "AWS::AutoScaling::AutoScalingGroup",
    "AWS::ECS::CapacityProvider",
}
_EACH = {
    "AWS::EC2::NatGateway": "nat-gateway",
    "AWS::EC2::EIP": "public-ipv4",
    "AWS::SecretsManager::Secret": "secret",
    "AWS::CloudWatch::Dashboard": "dashboard",
    "AWS::KMS::Key": "key",
}


def _machines(
    kind: str, properties: dict[str, Any], options: DeploymentOptions
) -> Iterator[tuple[str, float]]:
    """Yield what runs the minimum of tasks: parts of Fargate's machines, or EC2 instances."""
    if kind == "AWS::ECS::Service":
        if not options.on_instances:
            yield from _tasks(str(properties["ServiceName"]), options)
    elif kind == "AWS::AutoScaling::AutoScalingGroup":
        running = sum(each.min_tasks for each in components.sizes(options))
        instances = components.count_instances(running)
        yield components.instance_type(options), instances
        yield "volume", instances
    elif "ManagedInstancesProvider" in properties:
        yield "managed-instances", 1


def _tasks(program: str, options: DeploymentOptions) -> Iterator[tuple[str, float]]:
    component = program.removesuffix("-worker")
    size = (
        components.worker_size(options)
        if program != component
        else components.size(options, component)
    )
    on_demand = size.min_tasks
    if options.capacity == FARGATE_SPOT:
        on_demand = ON_DEMAND_BASE if options.production else 0
        yield "fargate-spot-task", size.min_tasks - on_demand
    yield f"fargate-vcpu-{options.architecture}", on_demand * size.cpu / 1024
    yield f"fargate-gib-{options.architecture}", on_demand * size.memory / 1024
    if options.public_tasks:
        yield "public-ipv4", size.min_tasks


def _resources(stacks: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for stack in stacks.values():
        for resource in stack.get("Resources", {}).values():
            yield resource["Type"], resource.get("Properties", {})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
