"""The load balancer and its listener, whose default target is the monolith.

The listener rules of a service are in the service's own stack (see `listener_rules`).
"""

from typing import cast

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra import stages
from infra.cdk import components, names
from infra.cdk.constructs import alarms
from infra.cdk.constructs.firewall import Firewall
from infra.cdk.options import DeploymentOptions
from infra.cdk.stacks.network import Network

LOG_DAYS = 30
# Ids of the listeners by their port: another one would create a second listener at the same port.
HTTP_LISTENER, HTTPS_LISTENER = "Redirect", "Listener"
# Browsers then use HTTPS only, for half a year.
HSTS = "routing.http.response.strict_transport_security.header_value"
HSTS_SECONDS = 15_768_000
IDLE_SECONDS = 60  # less than gunicorn's keep-alive (chassis.http.gunicorn_conf)


class LoadBalancer(Stack):
    """HTTPS with the given certificate, and a redirect to it; a lab without one uses plain HTTP."""

    def __init__(
        self, scope: Construct, construct_id: str, *, options: DeploymentOptions, network: Network
    ) -> None:
        super().__init__(scope, construct_id)
        self.options = options
        self.balancer = elb.ApplicationLoadBalancer(
            self,
            "Balancer",
            load_balancer_name=options.name,
            vpc=network.vpc,
            internet_facing=True,
            security_group=network.balancer_group,
            idle_timeout=Duration.seconds(IDLE_SECONDS),
            drop_invalid_header_fields=True,
            deletion_protection=options.production,
        )
        # The pages compare a browser's Origin with its Host header, including the port.
        self.balancer.set_attribute("routing.http.preserve_host_header.enabled", "true")
        # Ambiguous requests are refused (request smuggling).
        self.balancer.set_attribute("routing.http.desync_mitigation_mode", "strictest")
        self._log_access()
        alarms.BalancerAlarms(
            self, "Alarms", options=options, balancer=self.balancer.load_balancer_full_name
        )
        if options.production:
            Firewall(self, "Firewall", options=options, balancer=self.balancer.load_balancer_arn)
        self.monolith = target_group(
            self, "Monolith", options=options, network=network, component=stages.MONOLITH
        )
        self.listener = self._listen()
        # For all services, extracted or not: an export in use can't be removed.
        self.export_value(self.listener.ref)
        scheme = "https" if options.certificate else "http"
        self.url = f"{scheme}://{self.balancer.load_balancer_dns_name}"
        CfnOutput(self, "Url", value=self.url, description="The forum")
        CfnOutput(
            self,
            "Next",
            value=f"curl -i {self.url}/readyz; with a certificate, point its name at the balancer",
        )

    def _listen(self) -> elb.CfnListener:
        """Create the listeners; return the one with the routes.

        The listener of a port is the same resource with and without a certificate, so that a lab
        can get one: two listeners can't have the same port, not even during an update.
        """
        forward = elb.CfnListener.ActionProperty(type="forward", target_group_arn=self.monolith.ref)
        if not self.options.certificate:
            return self._listener(HTTP_LISTENER, 80, "HTTP", forward)
        redirect = elb.CfnListener.ActionProperty(
            type="redirect",
            redirect_config=elb.CfnListener.RedirectConfigProperty(
                status_code="HTTP_301", protocol="HTTPS", port="443"
            ),
        )
        # Rules of services refer to it until their stacks have moved them to the other one.
        self.export_value(self._listener(HTTP_LISTENER, 80, "HTTP", redirect).ref)
        return self._listener(
            HTTPS_LISTENER,
            443,
            "HTTPS",
            forward,
            ssl_policy="ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
            certificates=[
                elb.CfnListener.CertificateProperty(certificate_arn=self.options.certificate)
            ],
            listener_attributes=[
                elb.CfnListener.ListenerAttributeProperty(key=HSTS, value=f"max-age={HSTS_SECONDS}")
            ],
        )

    def _listener(
        self,
        construct_id: str,
        port: int,
        protocol: str,
        action: elb.CfnListener.ActionProperty,
        **more: object,
    ) -> elb.CfnListener:
        return elb.CfnListener(
            self,
            construct_id,
            load_balancer_arn=self.balancer.load_balancer_arn,
            port=port,
            protocol=protocol,
            default_actions=[action],
            **more,  # type: ignore[arg-type]
        )

    def _log_access(self) -> None:
        """Store the access logs for a month. The CDK's own method requires the region."""
        bucket = s3.Bucket(
            self,
            "Logs",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,  # access logs support no other
            enforce_ssl=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=Duration.days(LOG_DAYS),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
            removal_policy=names.removal(self.options),
        )
        writer = iam.ServicePrincipal("logdelivery.elasticloadbalancing.amazonaws.com")
        bucket.grant_put(writer, "*/AWSLogs/*")
        self.balancer.set_attribute("access_logs.s3.enabled", "true")
        self.balancer.set_attribute("access_logs.s3.bucket", bucket.bucket_name)
        self.balancer.set_attribute("access_logs.s3.prefix", self.options.name)
        self.balancer.node.add_dependency(cast(s3.BucketPolicy, bucket.policy))
        CfnOutput(self, "AccessLogs", value=bucket.bucket_name, description="Bucket of access logs")


def target_group(
    scope: Construct,
    construct_id: str,
    *,
    options: DeploymentOptions,
    network: Network,
    component: str,
    colour: str = "",
) -> elb.CfnTargetGroup:
    """Create a component's target group, with health checks of its tasks."""
    return elb.CfnTargetGroup(
        scope,
        construct_id,
        name=names.target_group(options, component, colour),
        vpc_id=network.vpc.vpc_id,
        target_type="ip",
        protocol="HTTP",
        port=components.PORT,
        health_check_path=components.READY,
        # ECS replaces tasks that stay unhealthy here, so it must take longer than a failover of the
        # database (components.DATABASE_FAILOVER_SECONDS). Tasks that stop are deregistered first.
        health_check_interval_seconds=15,
        health_check_timeout_seconds=5,
        healthy_threshold_count=2,
        unhealthy_threshold_count=10,
        matcher=elb.CfnTargetGroup.MatcherProperty(http_code="200"),
        target_group_attributes=[
            elb.CfnTargetGroup.TargetGroupAttributeProperty(key=key, value=value)
            for key, value in (
                ("deregistration_delay.timeout_seconds", str(components.DEREGISTRATION_SECONDS)),
                ("load_balancing.algorithm.type", "least_outstanding_requests"),
            )
        ],
    )
