"""The migration is a task of its own, which alone knows the password of the database's owner."""

import json
import re
from typing import Any

import boto3
import pytest
from cryptography import x509

from infra import stages
from infra.cdk import migrate, names
from infra.cdk.components import MIGRATION
from infra.cdk.options import DeploymentOptions
from infra.runner.config import ROOT, worker_name
from infra.tests.cdk.templates import Templates, settings, templates, texts
from infra.tests.cdk.test_permissions import granted
from infra.tools import rds_certificates
from tests.support.bus import MiniStack

LAB, PRODUCTION = templates(), templates(environment="production")
OWNER, APPLICATION = "DatabaseInstanceSecret", "DatabaseApplication"


def secrets(made: Templates, program: str) -> dict[str, str]:
    return {each["Name"]: texts(each["ValueFrom"]) for each in made.container(program)["Secrets"]}


@pytest.mark.parametrize("made", [LAB, PRODUCTION], ids=["lab", "production"])
def test_migration_is_a_task_without_service_and_with_two_passwords(made: Templates) -> None:
    (container,) = made.task(MIGRATION)["ContainerDefinitions"]
    assert container["Command"] == ["python", "-m", "forum", "migrate"]
    assert "HealthCheck" not in container
    assert "PortMappings" not in container
    assert MIGRATION not in {each["ServiceName"] for each in made.all("AWS::ECS::Service")}
    found = secrets(made, MIGRATION)
    assert found.keys() == {"PGPASSWORD", "APPLICATION_ROLE_PASSWORD"}
    assert OWNER in found["PGPASSWORD"]
    assert APPLICATION in found["APPLICATION_ROLE_PASSWORD"]
    url = texts(settings(container)["DATABASE_URL"])
    assert url.startswith("postgresql+psycopg://forum@")
    assert container["ReadonlyRootFilesystem"] is True
    assert container["User"] == "10001:10001"
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}


@pytest.mark.parametrize("made", [LAB, PRODUCTION], ids=["lab", "production"])
@pytest.mark.parametrize("program", [stages.MONOLITH, worker_name(stages.MONOLITH)])
def test_monolith_uses_the_database_as_its_own_role(made: Templates, program: str) -> None:
    container = made.container(program)
    assert APPLICATION in secrets(made, program)["PGPASSWORD"]
    assert texts(settings(container)["DATABASE_URL"]).startswith("postgresql+psycopg://forum_app@")
    assert "Instance" not in texts(container["Secrets"])


def test_migration_may_do_nothing_on_aws_but_start() -> None:
    (*_, read) = granted(LAB, MIGRATION, ".*")
    assert {each for each in (OWNER, APPLICATION) if each in texts(read[2])} == {OWNER, APPLICATION}
    assert len(read[2]) == 2
    (policy,) = LAB.all("AWS::IAM::Policy", MIGRATION)
    assert re.fullmatch(r".*ExecutionRole[0-9A-F]{8}", texts(policy["Roles"]))


def test_monolith_is_deployed_after_the_definition_of_its_migration() -> None:
    manifest = (LAB.folder / "manifest.json").read_text(encoding="utf-8")
    monolith = json.loads(manifest)["artifacts"]["forum-monolith"]
    assert "forum-migration" in monolith["dependencies"]


def test_migration_of_a_missing_deployment_names_the_stack_to_deploy() -> None:
    with MiniStack(settings={"SERVICES": "cloudformation"}) as running:

        def client(service: str) -> Any:
            return boto3.client(
                service,  # type: ignore[call-overload]
                endpoint_url=running.url,
                region_name="eu-central-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )

        with pytest.raises(migrate.MigrationError, match="forum-migration can't be read; deploy"):
            migrate.run(client, DeploymentOptions())


def test_log_of_the_migration_is_where_the_program_reads_it() -> None:
    options = LAB.container(MIGRATION)["LogConfiguration"]["Options"]
    assert options["awslogs-stream-prefix"] == MIGRATION
    resources = LAB.stack(MIGRATION)["Resources"]
    group = resources[options["awslogs-group"]["Ref"]]["Properties"]["LogGroupName"]
    assert group == names.log_group(LAB.options, MIGRATION)


@pytest.mark.parametrize("program", [MIGRATION, stages.MONOLITH, worker_name(stages.MONOLITH)])
def test_database_must_prove_its_identity_by_certificates_in_the_image(program: str) -> None:
    url = texts(settings(LAB.container(program))["DATABASE_URL"])
    assert url.endswith("?sslmode=verify-full&sslrootcert=/app/forum/certificates/rds.crt")
    image = (ROOT / "monolith/Dockerfile").read_text(encoding="utf-8")
    assert "COPY monolith/forum /app/forum\n" in image
    assert ROOT / "monolith/forum/certificates/rds.crt" == rds_certificates.FILE
    authority = LAB.one("AWS::RDS::DBInstance")["CACertificateIdentifier"]
    assert authority == "rds-ca-rsa2048-g1"


def test_file_has_the_authority_of_each_region_once() -> None:
    text = rds_certificates.FILE.read_text(encoding="ascii")
    assert rds_certificates.PACKAGE in text.partition("\n")[0]
    found = x509.load_pem_x509_certificates(text.encode())
    names = [each.subject.rfc4514_string() for each in found]
    regions = [re.findall(r"CN=Amazon RDS ([a-z0-9-]+) Root CA RSA2048 G1", name) for name in names]
    assert len(regions) == len({region for (region,) in regions})
    assert {"eu-central-1", "us-east-1"} <= {region for (region,) in regions}
    for each in found:
        assert each.subject == each.issuer
        assert each.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert "Amazon Web Services" in each.subject.rfc4514_string()
        assert each.not_valid_after_utc.year > 2060
