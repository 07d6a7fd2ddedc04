"""A form that could not be accepted is shown again with its input, and can be resent."""

import re

import pytest

TYPED = "Long thoughts,\r\nin two lines"


@pytest.fixture
def thread(client, ada):
    made = client.post("/api/threads", json={"title": "A thread"}, headers=ada.headers).json
    return f"/threads/{made['id']}"


def _fields(page, action):
    form = page[page.index(f'action="{action}"') :].partition("</form>")[0]
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    return fields | dict(re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>\n([^<]*)', form))


def test_reply_after_the_session_ended_is_sent_after_signing_in(client, register, thread):
    person = register()
    refused = client.post(thread, data={"body": TYPED, "idempotency_key": "k"})
    assert refused.status_code == 401
    form = _fields(refused.text, "/sign-in") | {"username": person.username}
    wrong = client.post("/sign-in", data=form | {"password": "wrong password"})
    assert wrong.status_code == 401
    form = _fields(wrong.text, "/sign-in") | {"username": person.username}
    resumed = client.post("/sign-in", data=form | {"password": "correct horse"})
    assert resumed.status_code == 200
    again = _fields(resumed.text, thread)
    assert again["idempotency_key"] == "k"
    assert again["body"] == TYPED.replace("\r\n", "\n")
    assert client.post(thread, data=again).status_code == 303
    assert "Long thoughts,<br>\nin two lines" in client.get(thread).text


def test_form_of_an_older_session_can_be_sent_again(browser, ada, thread):
    mine = browser(ada)
    refused = mine.post(thread, data={"body": TYPED, "csrf_token": "0" * 128})
    assert refused.status_code == 403
    assert mine.post(thread, data=_fields(refused.text, thread)).status_code == 303


def test_form_from_another_site_is_not_kept(browser, ada, client, thread):
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for reader in (browser(ada), client):
        refused = reader.post(thread, data={"body": "Not mine"}, headers=headers)
        assert refused.status_code == 403
        assert "Not mine" not in refused.text


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "javascript:x"])
def test_resumed_form_goes_to_this_site_only(client, register, path):
    person = register()
    form = {"username": person.username, "password": "correct horse", "resume": path, "body": "x"}
    answer = client.post("/sign-in", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
