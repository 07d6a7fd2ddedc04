"""The migration of a deployment: a task as the database's owner; the monolith is another role."""

import json

import pytest

from infra.cdk import migrate, names
from infra.cdk.migrate import MigrationError
from infra.local_cloud.target import docker
from tests.deploy.conftest import AtStage
from tests.deploy.deployed import Deployed

DATABASE = (
    "import os, psycopg; url = os.environ['DATABASE_URL'].replace('+psycopg', '');"
    "connection = psycopg.connect(url)"
)


@pytest.fixture(scope="module")
def forum(at_stage: AtStage) -> Deployed:
    return at_stage(frozenset())


def in_monolith(forum: Deployed, code: str) -> str:
    """Run code in the monolith's task, with a connection to its database; return the output."""
    return docker("exec", forum.alone("monolith"), "python", "-c", f"{DATABASE}; {code}").strip()


def test_monolith_can_not_change_its_schema(forum: Deployed) -> None:
    assert in_monolith(forum, "print(connection.info.user)") == "forum_app"
    attempt = (
        "\ntry:\n  connection.execute('DROP TABLE outbox')\n"
        "except psycopg.errors.InsufficientPrivilege as error: print(error)"
    )
    assert in_monolith(forum, attempt) == "must be owner of table outbox"


def test_database_proves_its_identity(forum: Deployed) -> None:
    assert "sslmode=verify-full" in in_monolith(forum, "print(url)")
    assert in_monolith(forum, "print(connection.pgconn.ssl_in_use)") == "True"
    attempts = (
        "\nimport socket\nhost = url.partition('@')[2].partition(':')[0]\n"
        "for other in (url.replace(host, socket.gethostbyname(host)),"
        " url.replace('/app/forum/certificates/rds.crt', 'system'),"
        " url.replace('verify-full', 'disable').partition('&')[0]):\n"
        "  try: psycopg.connect(other); print('connected')\n"
        "  except psycopg.OperationalError as error: print(' '.join(str(error).split()))"
    )
    address, unknown, plain = in_monolith(forum, attempts).splitlines()
    assert "does not match host name" in address
    assert "certificate verify failed" in unknown
    assert "no encryption" in plain


def test_migration_leaves_no_task_and_can_be_repeated(forum: Deployed) -> None:
    migrate.run(forum.place.client, forum.options)
    assert forum.tasks("migration") == []


def test_failed_migration_shows_the_end_of_its_log(forum: Deployed) -> None:
    client = forum.place.client("secretsmanager")
    secret = {"SecretId": names.database_secret(forum.options)}
    before = client.get_secret_value(**secret)["SecretString"]
    wrong = json.loads(before) | {"password": "wrong"}
    client.put_secret_value(**secret, SecretString=json.dumps(wrong))
    try:
        with pytest.raises(MigrationError) as failure:
            migrate.run(forum.place.client, forum.options)
    finally:
        client.put_secret_value(**secret, SecretString=before)
    assert str(failure.value).startswith("The migration failed with exit code 1 (")
    assert 'password authentication failed for user "forum"' in str(failure.value)
