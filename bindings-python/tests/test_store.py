"""What an event decided is there with its end; how a block ends its event."""

import asyncio
import time

import pytest

import nbhd
from nbhd import testkit

EVENT = {"provider": "test", "instance": "one", "dedupe": ["1"], "lane": "lane", "data": {"text": "hello"}}
PAID = [{"type": "put", "key": "orders/1", "value": "paid"}, {"type": "add", "key": "orders", "delta": 1}]


def world():
    clock = testkit.Clock("2026-11-21T08:00:00Z")
    host = nbhd.Host("memory:", clock=clock)
    host.inbox.accept(EVENT)
    return clock, host


def test_a_block_that_said_how_it_ended_says_no_more():
    _, host = world()
    work = host.inbox.claim()
    with work:
        work.commit_with([], PAID)
        raise ValueError("afterwards")
    assert (host.inbox.pending(), host.store.sum("orders")) == (0, 1)
    assert host.store.get("orders/1")["value"] == "paid"


def test_a_block_whose_commit_was_refused_is_tried_again():
    clock, host = world()
    work = host.inbox.claim()
    with work:
        work.commit_with([], [*PAID, {"type": "delete", "key": "inbox/event/1"}])
    assert (host.inbox.pending(), host.store.sum("orders")) == (1, 0)
    assert host.inbox.claim() is None
    clock.advance(1)
    with host.inbox.claim() as event:
        assert event["attempt"] == 2
    assert host.inbox.pending() == 0


def test_the_lease_is_renewed_until_an_end_is_stored():
    """As long as the first renewal lets us wait: the third part of a lease, on the machine's clock."""
    clock, host = world()

    def ready_at():
        ((_, at),) = [entry.values() for entry in host.store.scan("inbox/ready")]
        return at

    work = host.inbox.claim()
    with work:
        work.adone().close()  # made, and never awaited
        with pytest.raises(nbhd.InvalidInput):
            work.commit_with([], [*PAID, {"type": "delete", "key": "inbox/event/1"}])
        clock.advance(50)
        before = ready_at()
        while ready_at() == before:
            time.sleep(0.05)
        clock.advance(50)
        assert work.is_held()
        work.done()
    assert host.inbox.pending() == 0


def test_a_write_is_checked_before_anything_happens():
    _, host = world()
    work = host.inbox.claim()
    for wrong in ([{"type": "put", "key": "a"}], [{"type": "set"}], [{"type": "put", "key": "a", "value": 1}], {}):
        with pytest.raises(nbhd.InvalidInput):
            work.commit_with([], wrong)
    work.done()


def test_the_awaitable_twins():
    async def main():
        _, host = world()
        work = await host.inbox.aclaim()
        async with work:
            await work.acommit_with([], [*PAID, {"type": "append", "index": "open", "member": "1"}])
        store = host.store
        return await asyncio.gather(store.aget("orders/1"), store.asum("orders"), store.ascan("open"))

    record, total, entries = asyncio.run(main())
    assert (record["version"], total, [entry["member"] for entry in entries]) == (1, 1, ["1"])
