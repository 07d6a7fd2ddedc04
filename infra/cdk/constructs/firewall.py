"""The web application firewall (AWS WAF) in front of production's load balancer."""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from infra.cdk import names
from infra.cdk.options import DeploymentOptions

# Requests of one address in five minutes: 7 a second, all the time.
REQUESTS_PER_ADDRESS = 2_000
# AWS's rule groups, with their rules that only count. A post may have more than the 8 KiB of a body
# that the size rule allows; and its text may look like an attack, since people write about code.
MANAGED = {
    "AWSManagedRulesCommonRuleSet": (
        "SizeRestrictions_BODY",
        "CrossSiteScripting_BODY",
        "GenericLFI_BODY",
        "GenericRFI_BODY",
        "EC2MetaDataSSRF_BODY",
    ),
    "AWSManagedRulesKnownBadInputsRuleSet": ("JavaDeserializationRCE_BODY", "Log4JRCE_BODY"),
}
_Acl = waf.CfnWebACL


class Firewall(Construct):
    """Rules of AWS, a rate limit by address, and a log of what they block or count."""

    def __init__(
        self, scope: Construct, construct_id: str, *, options: DeploymentOptions, balancer: str
    ) -> None:
        super().__init__(scope, construct_id)
        rate = _Acl.RuleProperty(
            name="RatePerAddress",
            priority=0,
            action=_Acl.RuleActionProperty(block={}),
            statement=_Acl.StatementProperty(
                rate_based_statement=_Acl.RateBasedStatementProperty(
                    aggregate_key_type="IP", limit=REQUESTS_PER_ADDRESS
                )
            ),
            visibility_config=_visible("RatePerAddress"),
        )
        managed = (
            _managed(group, counted, priority)
            for priority, (group, counted) in enumerate(MANAGED.items(), start=1)
        )
        acl = _Acl(
            self,
            "Acl",
            name=options.name,
            scope="REGIONAL",
            default_action=_Acl.DefaultActionProperty(allow={}),
            rules=[rate, *managed],
            visibility_config=_visible(options.name),
        )
        waf.CfnWebACLAssociation(
            self, "Association", resource_arn=balancer, web_acl_arn=acl.attr_arn
        )
        name = f"aws-waf-logs-{options.name}"  # AWS requires this prefix
        log = logs.LogGroup(
            self,
            "Log",
            log_group_name=name,
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=names.removal(options),
        )
        logging = waf.CfnLoggingConfiguration(
            self,
            "Logging",
            resource_arn=acl.attr_arn,
            # Without the `:*` at the end of the log group's own attribute.
            log_destination_configs=[
                Stack.of(self).format_arn(
                    service="logs",
                    resource="log-group",
                    resource_name=name,
                    arn_format=ArnFormat.COLON_RESOURCE_NAME,
                )
            ],
            logging_filter=LOGGED,
            redacted_fields=[
                waf.CfnLoggingConfiguration.FieldToMatchProperty(single_header={"Name": header})
                for header in ("authorization", "cookie")
            ],
        )
        logging.node.add_dependency(log)


# Not the requests that are allowed: the load balancer logs those.
LOGGED = {
    "DefaultBehavior": "DROP",
    "Filters": [
        {
            "Behavior": "KEEP",
            "Requirement": "MEETS_ANY",
            "Conditions": [
                {"ActionCondition": {"Action": action}} for action in ("BLOCK", "COUNT")
            ],
        }
    ],
}


def _managed(group: str, counted: tuple[str, ...], priority: int) -> waf.CfnWebACL.RuleProperty:
    """Return one of AWS's rule groups, of which some rules only count."""
    return _Acl.RuleProperty(
        name=group,
        priority=priority,
        override_action=_Acl.OverrideActionProperty(none={}),
        statement=_Acl.StatementProperty(
            managed_rule_group_statement=_Acl.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name=group,
                rule_action_overrides=[
                    _Acl.RuleActionOverrideProperty(
                        name=rule, action_to_use=_Acl.RuleActionProperty(count={})
                    )
                    for rule in counted
                ],
            )
        ),
        visibility_config=_visible(group),
    )


def _visible(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    """Return the settings of a rule's metrics, and of samples of its requests."""
    return _Acl.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True
    )
