"""Settings are read once, report all problems together, and have no default secret."""

from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from chassis.settings import (
    BUS_SETTINGS,
    EXIT_CONFIG,
    HttpUrl,
    ServiceSettings,
    Settings,
    load_settings,
)
from tests.support.people import SECRET_KEY, Keys


class Probe(ServiceSettings):
    peer_url: HttpUrl


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, session_keys: Keys) -> None:
    for name in ("REVISION", "TABLE_PREFIX", "SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("SESSION_PUBLIC_KEYS", session_keys.public)
    monkeypatch.setenv("PEER_URL", "http://peer.forum.local:8080")


def test_are_read_from_the_environment(session_keys):
    settings = load_settings(Probe)
    assert settings.secret_key.get_secret_value() == SECRET_KEY
    assert settings.session_public_keys == session_keys.public
    assert settings.peer_url == "http://peer.forum.local:8080"
    assert (settings.revision, settings.table_prefix) == ("dev", "forum-")


def test_are_read_from_files_of_a_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("SECRET_KEY")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    (tmp_path / "secret_key").write_text("from a file, and as long as it has to be\n")
    assert (
        load_settings(Probe).secret_key.get_secret_value()
        == "from a file, and as long as it has to be"
    )


def test_report_all_problems_together_and_show_no_value(monkeypatch, capsys):
    monkeypatch.setenv("SECRET_KEY", "too short a secret")
    monkeypatch.setenv("SESSION_PUBLIC_KEYS", '{"keys": []}')
    monkeypatch.setenv("TABLE_PREFIX", "no spaces")
    monkeypatch.setenv("REVISION", "")
    monkeypatch.setenv("PEER_URL", "peer:8080")
    with pytest.raises(SystemExit) as exit_:
        load_settings(Probe)
    assert exit_.value.code == EXIT_CONFIG
    output = capsys.readouterr().err
    for name in ("SECRET_KEY", "SESSION_PUBLIC_KEYS", "TABLE_PREFIX", "REVISION", "PEER_URL"):
        assert f"  {name}: " in output
    assert "too short a secret" not in output


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("MOVABLE", "LIVE_EXTRACTION"),
        ("EVENTS_DEAD_LETTERS_URL", "EVENTS_DEAD_LETTER_QUEUE_URL"),
        ("BEAT_FILE", "HEARTBEAT_FILE"),
    ],
)
def test_former_name_is_refused_with_the_new_one(monkeypatch, capsys, old, new):
    monkeypatch.setenv(old, "true")
    with pytest.raises(SystemExit) as exit_:
        load_settings(Probe)
    assert exit_.value.code == EXIT_CONFIG
    assert f"  {old}: was renamed to {new}\n" in capsys.readouterr().err


def test_file_with_a_former_name_is_refused(monkeypatch, capsys, tmp_path):
    (tmp_path / "movable").write_text("true")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    with pytest.raises(SystemExit):
        load_settings(Probe)
    assert "  MOVABLE: was renamed to LIVE_EXTRACTION\n" in capsys.readouterr().err


def test_report_missing_values(monkeypatch, capsys):
    for name in ("SECRET_KEY", "SESSION_PUBLIC_KEYS", "PEER_URL"):
        monkeypatch.delenv(name)
    with pytest.raises(SystemExit):
        load_settings(Probe)
    lines = capsys.readouterr().err.splitlines()
    assert sorted(line.split(":")[0].strip() for line in lines[1:]) == [
        "PEER_URL",
        "SECRET_KEY",
        "SESSION_PUBLIC_KEYS",
    ]


def test_report_missing_bus_settings_with_the_others(monkeypatch, capsys):
    monkeypatch.setenv("EVENTS_TOPIC_ARN", "")
    monkeypatch.delenv("EVENTS_QUEUE_URL", raising=False)
    monkeypatch.setenv("EVENTS_DEAD_LETTER_QUEUE_URL", "http://bus/1/dead-letters")
    assert load_settings(Probe).events_topic_arn == ""
    monkeypatch.delenv("PEER_URL")
    with pytest.raises(SystemExit) as exit_:
        load_settings(Probe, needed=BUS_SETTINGS)
    assert exit_.value.code == EXIT_CONFIG
    lines = capsys.readouterr().err.splitlines()
    assert sorted(line.split(":")[0].strip() for line in lines[1:]) == [
        "EVENTS_QUEUE_URL",
        "EVENTS_TOPIC_ARN",
        "PEER_URL",
    ]


def test_are_the_same_with_bus_settings_required(monkeypatch):
    for name in BUS_SETTINGS:
        monkeypatch.setenv(name.upper(), f"http://bus/1/{name}")
    settings = load_settings(Probe, needed=BUS_SETTINGS)
    assert isinstance(settings, Probe)
    assert settings.model_dump() == load_settings(Probe).model_dump()


@pytest.mark.parametrize(
    "keys", ["", "{", "[]", "null", "{}", '{"keys": [{}]}', '{"keys": "x"}', '{"keys": [1]}']
)
def test_refuse_an_invalid_key_set(monkeypatch, capsys, keys):
    monkeypatch.setenv("SESSION_PUBLIC_KEYS", keys)
    with pytest.raises(SystemExit):
        load_settings(Settings)
    assert "SESSION_PUBLIC_KEYS: " in capsys.readouterr().err


@pytest.mark.parametrize("url", ["", "ftp://peer", "http://", "http://peer/path", "//peer", "peer"])
def test_refuse_an_invalid_component_url(monkeypatch, capsys, url):
    monkeypatch.setenv("PEER_URL", url)
    with pytest.raises(SystemExit):
        load_settings(Probe)
    assert "PEER_URL: " in capsys.readouterr().err


def test_have_no_default_secret():
    kinds: list[type[BaseSettings]] = [Settings]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        for name, field in kind.model_fields.items():
            secret = field.annotation is SecretStr or "key" in name
            if secret and not field.is_required():
                # Nothing, or an address without a password, is no secret.
                default = field.default.get_secret_value()
                address = urlsplit(default)
                assert not default or address.scheme, f"{kind.__name__}.{name}"
                assert address.username is address.password is None, f"{kind.__name__}.{name}"


def test_show_no_secret():
    settings = load_settings(Probe)
    assert SECRET_KEY not in repr(settings) + str(settings)


def test_can_not_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load_settings(Probe).revision = "other"
