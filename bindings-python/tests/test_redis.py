"""A host whose store is a real Redis server."""

import os

import pytest
from servers import ALWAYS, redis_server

import nbhd

EVENT = {"provider": "test", "instance": "one", "dedupe": ["1"], "lane": "lane", "data": {"text": "hello"}}


def test_an_event_through_redis(tmp_path):
    with redis_server(tmp_path, *ALWAYS) as address:
        host = nbhd.Host(address)
        with pytest.raises(nbhd.StoreUnavailable) as caught:
            host.inbox.accept(EVENT)
        assert "create_store" in caught.value.user_action
        host.create_store()
        host.create_store()
        assert not host.inbox.accept(EVENT)["duplicate"]
        assert nbhd.Host(address).inbox.accept(EVENT)["duplicate"]
        with host.inbox.claim() as event:
            assert event["text"] == "hello"
        assert host.inbox.claim() is None
        host.close()
        assert nbhd.Host(address).inbox.accept(EVENT)["duplicate"]


def test_a_server_that_may_lose_is_refused_unless_it_is_accepted_by_name(tmp_path):
    with redis_server(tmp_path) as address:
        nbhd.Host(address).create_store()
        with pytest.raises(nbhd.InvalidConfig) as caught:
            nbhd.Host(address).inbox.accept(EVENT)
        assert "appendfsync always" in caught.value.user_action
        host = nbhd.Host(address, lossy_store="a test that has nothing to lose")
        assert not host.inbox.accept(EVENT)["duplicate"]


def test_a_forked_child_uses_a_connection_of_its_own(tmp_path):
    with redis_server(tmp_path, *ALWAYS) as address:
        host = nbhd.Host(address)
        host.create_store()
        host.inbox.accept(EVENT)
        child = os.fork()
        if child == 0:
            try:
                duplicate = host.inbox.accept(EVENT)["duplicate"]
                fresh = not host.inbox.accept({**EVENT, "dedupe": ["2"]})["duplicate"]
                os._exit(0 if duplicate and fresh else 1)
            except BaseException:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert host.inbox.accept({**EVENT, "dedupe": ["2"]})["duplicate"]


def test_an_address_is_not_repeated():
    with pytest.raises(nbhd.InvalidConfig) as caught:
        nbhd.Host("redis://:canary-0123@host/x")
    assert "canary" not in repr(caught.value) and "canary" not in str(caught.value)
    with pytest.raises(nbhd.StoreUnavailable) as caught:
        nbhd.Host("redis://:canary-0123@127.0.0.1:1/0").inbox.accept(EVENT)
    assert "canary" not in repr(caught.value) and "canary" not in str(caught.value)
