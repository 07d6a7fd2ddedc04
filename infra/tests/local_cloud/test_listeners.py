"""A lab gets a certificate in place: its listeners and rules change without a conflict."""

import copy
from typing import Any

from infra.local_cloud.template_filter import remove_unsupported
from infra.tests.cdk.templates import CERTIFICATE, Templates, templates
from infra.tests.local_cloud.test_emulator_guard import Emulator
from infra.tests.local_cloud.test_retained_resources import Cloud

PLAIN = templates(extracted="posts")
SECURE = templates(extracted="posts", certificate=CERTIFICATE)
ROUTING = {
    "AWS::ElasticLoadBalancingV2::ListenerRule",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
}


def routing(made: Templates) -> dict[str, Any]:
    """Return the stack of a service without its tasks."""
    template = copy.deepcopy(made.stack("posts"))
    kept = {key: each for key, each in template["Resources"].items() if each["Type"] in ROUTING}
    for resource in kept.values():
        resource.pop("DependsOn", None)
    return {"Resources": kept, "Outputs": {}}


def rules(balancing: Any) -> dict[int, int]:
    """Return how many rules each port has besides its default action."""
    (balancer,) = balancing.describe_load_balancers()["LoadBalancers"]
    listeners = balancing.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])
    return {
        each["Port"]: sum(
            not rule["IsDefault"]
            for rule in balancing.describe_rules(ListenerArn=each["ListenerArn"])["Rules"]
        )
        for each in listeners["Listeners"]
    }


def actions(balancing: Any) -> dict[tuple[int, str], str]:
    """Return the default action of each port and protocol."""
    (balancer,) = balancing.describe_load_balancers()["LoadBalancers"]
    listeners = balancing.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])
    return {
        (each["Port"], each["Protocol"]): each["DefaultActions"][0]["Type"]
        for each in listeners["Listeners"]
    }


def test_lab_changes_to_https_in_place() -> None:
    with Emulator() as emulator:
        cloud, balancing = Cloud(emulator), emulator.client("elbv2")
        for what in ("network", "edge"):
            cloud.deploy(what, remove_unsupported(PLAIN.stack(what))[0], adopt=False)
        cloud.deploy("posts", routing(PLAIN), adopt=False)
        assert actions(balancing) == {(80, "HTTP"): "forward"}
        count = rules(balancing)[80]
        assert count > 0

        for what in ("network", "edge"):
            cloud.deploy(what, remove_unsupported(SECURE.stack(what))[0], adopt=False)
            assert cloud.status(what) == "UPDATE_COMPLETE"
        assert actions(balancing) == {(80, "HTTP"): "redirect", (443, "HTTPS"): "forward"}
        # Until its own stack follows, a service is still reached by the former port.
        assert rules(balancing) == {80: count, 443: 0}
        cloud.deploy("posts", routing(SECURE), adopt=False)
        assert cloud.status("posts") == "UPDATE_COMPLETE"
        assert rules(balancing) == {80: 0, 443: count}


def test_a_port_has_the_same_listener_with_and_without_a_certificate() -> None:
    listeners = [
        {
            resource["Properties"]["Port"]: key
            for key, resource in made.stack("edge")["Resources"].items()
            if resource["Type"] == "AWS::ElasticLoadBalancingV2::Listener"
        }
        for made in (PLAIN, SECURE)
    ]
    plain, secure = listeners
    assert (set(plain), set(secure)) == ({80}, {80, 443})
    assert plain[80] == secure[80]
    # The former listener stays exported, since stacks of services still use it.
    exports = [
        {
            each["Export"]["Name"]
            for each in made.stack("edge")["Outputs"].values()
            if "Export" in each
        }
        for made in (PLAIN, SECURE)
    ]
    assert exports[0] < exports[1]
