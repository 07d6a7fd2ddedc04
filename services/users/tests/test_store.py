"""Writes of the store: each one replaces only the state that was read."""

from dataclasses import replace

import pytest

from chassis.clock import utc_now
from services.users.tests.conftest import PASSWORD
from users.bootstrap import UsersService
from users.model import begin_erasure, confirm_erasure
from users.ports import ConcurrentModification


@pytest.fixture
def store(settings):
    return UsersService(settings).store


def test_user_that_changed_meanwhile_is_not_replaced(store, ada):
    read = store.get(ada.id).user
    first, second = (replace(read, bio=bio, version=2) for bio in ("First", "Second"))
    store.replace(read, first)
    with pytest.raises(ConcurrentModification):
        store.replace(read, second)
    assert store.get(ada.id).user == first


def test_user_that_changed_meanwhile_is_not_erased(store, ada):
    read = store.get(ada.id).user
    changed = replace(read, bio="Changed", version=2)
    store.replace(read, changed)
    with pytest.raises(ConcurrentModification):
        store.erase(read, "ada", begin_erasure(read, frozenset(), utc_now()))
    assert store.find("ada").user == changed
    assert store.erasure(ada.id) is None


def test_erasure_that_changed_meanwhile_is_not_replaced(store, client, ada):
    client.delete(ada.path, json={"password": PASSWORD}, headers=ada.headers)
    read = store.erasure(ada.id)
    first, second = (confirm_erasure(read, name, utc_now()) for name in ("threads", "posts"))
    store.update_erasure(read, first)
    with pytest.raises(ConcurrentModification):
        store.update_erasure(read, second)
    assert store.erasure(ada.id) == first
