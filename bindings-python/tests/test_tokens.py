"""Tokens in the program's own storage: sealed records, and its functions on its own threads only."""

import asyncio
import select
import threading

import nbhd
import pytest
from nbhd import testkit


class Rows:
    """A table, as a Django service has one: it notes on which thread it was asked."""

    def __init__(self):
        self.rows = {}
        self.asked = []

    def load(self, provider, account):
        self.asked.append(("load", account, threading.get_ident()))
        return self.rows.get((provider, account))

    def save(self, provider, account, record, previous):
        self.asked.append(("save", account, threading.get_ident()))
        if self.rows.get((provider, account)) != previous:
            return False
        self.rows[provider, account] = record
        return True


class AsyncRows(Rows):
    """The same with awaitable twins, which the thread of a loop prefers."""

    async def aload(self, provider, account):
        await asyncio.sleep(0)
        self.asked.append(("aload", account, threading.get_ident()))
        return self.rows.get((provider, account))

    async def asave(self, provider, account, record, previous):
        await asyncio.sleep(0)
        self.asked.append(("asave", account, threading.get_ident()))
        self.rows[provider, account] = record
        return True


def start(rows, **options):
    stand_in = testkit.Google()
    host = nbhd.Host("memory:", tokens=rows, **options)
    return stand_in, stand_in.client(host)


def test_the_program_keeps_sealed_records():
    rows = Rows()
    _, google = start(rows)
    google.account("tenant-42").gmail.list_messages(limit=1)
    token = google.account("tenant-42").access_token().reveal()
    (key, record), *more = rows.rows.items()
    assert key == ("google", "tenant-42") and not more
    assert "nbhd1." in record and token not in record and "ya29" not in record
    assert google.account("tenant-42").status()["state"] == "active"


def test_a_sync_call_asks_on_the_thread_that_waits():
    rows = Rows()
    _, google = start(rows)
    callers = {}

    def work(name):
        callers[name] = threading.get_ident()
        google.account(name).gmail.list_messages(limit=1)

    threads = [threading.Thread(target=work, args=(f"tenant-{at}",)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {account for _, account, _ in rows.asked} == set(callers)
    for what, account, ident in rows.asked:
        assert ident == callers[account], f"{what} of {account} ran elsewhere"


@pytest.mark.parametrize(("kind", "names"), [(Rows, {"load", "save"}), (AsyncRows, {"aload", "asave"})])
def test_an_awaited_call_asks_on_the_thread_of_the_loop(kind, names):
    rows = kind()
    _, google = start(rows)
    accounts = [google.account(f"tenant-{at}") for at in range(5)]

    async def many():
        for account in accounts:
            await account.gmail.alist_messages(limit=1)
        await asyncio.gather(*(account.gmail.alist_messages(limit=1) for account in accounts for _ in range(20)))
        return threading.get_ident()

    done = []
    thread = threading.Thread(target=lambda: done.append(asyncio.run(many())))
    thread.start()
    thread.join()
    assert {what for what, _, _ in rows.asked} == names
    assert {ident for _, _, ident in rows.asked} == set(done) != {threading.get_ident()}


def test_what_a_function_raises_is_told_by_its_class_alone():
    class Broken(Rows):
        def load(self, provider, account):
            raise ValueError("canary")

    _, google = start(Broken())
    with pytest.raises(nbhd.StoreUnavailable) as caught:
        google.account("tenant-42").status()
    assert "ValueError" in str(caught.value) and "canary" not in str(caught.value)

    async def awaited():
        await google.account("tenant-42").astatus()

    with pytest.raises(nbhd.StoreUnavailable):
        asyncio.run(awaited())


def test_an_answer_of_another_kind_is_refused():
    class Odd(Rows):
        def load(self, provider, account):
            return 42

    _, google = start(Odd())
    with pytest.raises(nbhd.StoreUnavailable, match="TypeError"):
        google.account("tenant-42").status()
    for tokens in (object(), None.__class__, "text"):
        with pytest.raises(nbhd.InvalidConfig):
            nbhd.Host("memory:", tokens=tokens)
    with pytest.raises(nbhd.InvalidConfig):
        nbhd.Host("memory:", tokens=Rows(), tokens_timeout=0)


def test_an_answer_that_does_not_come_is_a_failure():
    class Silent(AsyncRows):
        async def aload(self, provider, account):
            await asyncio.Event().wait()

    _, google = start(Silent(), tokens_timeout=0.05)

    async def awaited():
        with pytest.raises(nbhd.StoreUnavailable, match="not answered within 0.05") as caught:
            await google.account("tenant-42").astatus()
        assert caught.value.outcome == "unknown"

    asyncio.run(awaited())


def test_a_function_that_calls_nbhd_is_refused():
    refused = []

    class Curious(Rows):
        def load(self, provider, account):
            for call in (lambda: google.account("other").status(), lambda: nbhd.Host("memory:").close()):
                try:
                    call()
                except nbhd.InvalidState as error:
                    refused.append(error.code)
            return super().load(provider, account)

    _, google = start(Curious())
    assert google.account("tenant-42").status()["state"] == "not_connected"
    assert refused == ["invalid_state"] * 2
    # Afterwards the thread may call again.
    nbhd.Host("memory:").close()


def test_ctrl_c_within_a_function_goes_on():
    class Interrupted(Rows):
        def load(self, provider, account):
            raise KeyboardInterrupt

    _, google = start(Interrupted())
    with pytest.raises(KeyboardInterrupt):
        google.account("tenant-42").status()


def test_a_refresh_goes_on_without_its_caller_and_finds_another_thread():
    rows = Rows()
    clock = testkit.Clock("2026-11-21T08:00:00Z")
    stand_in = testkit.Google(clock=clock)
    google = stand_in.client(nbhd.Host("memory:", tokens=rows, clock=clock))
    account = google.account("tenant-42")
    account.gmail.list_messages(limit=1)
    first = account.access_token().reveal()
    clock.advance(3600)

    async def give_up():
        task = asyncio.create_task(account.aaccess_token())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    rows.asked.clear()
    second = account.access_token().reveal()
    assert second != first
    assert {ident for _, _, ident in rows.asked} <= {threading.get_ident()}


def test_a_call_finds_what_was_left_while_nobody_waited():
    """A refresh asks on a loop that listens no more: what it asks is anybody's, and the next call has to look for it."""
    rows = Rows()
    clock = testkit.Clock("2026-11-21T08:00:00Z")
    stand_in = testkit.Google(clock=clock)
    google = stand_in.client(nbhd.Host("memory:", tokens=rows, tokens_timeout=300.0, clock=clock))
    account = google.account("tenant-42")
    account.connect(nbhd.Secret(stand_in.refresh_token))
    first = account.access_token().reveal()
    clock.advance(3600)

    async def give_up():
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(account.aaccess_token())
        await asyncio.sleep(0)
        (bell,) = (key.fd for key in loop._selector.get_map().values() if key.data[0]._callback.__name__ == "drain")
        select.select([bell], [], [])
        loop.remove_reader(bell)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    rows.asked.clear()
    asyncio.run(give_up())
    assert rows.asked == []
    assert account.access_token().reveal() != first
    assert {ident for _, _, ident in rows.asked} == {threading.get_ident()}


def test_the_audit_event_of_a_call_is_told_before_it_returns():
    told = []
    host = nbhd.Host("memory:", on_audit=told.append)
    refused = {"url": "https://10.1.2.3/"}
    with pytest.raises(nbhd.AddressDenied):
        host.secure_request(refused, hosts=["10.1.2.3"])
    assert told == host.audit() != []

    async def awaited():
        with pytest.raises(nbhd.AddressDenied):
            await host.asecure_request(refused, hosts=["10.1.2.3"])
        assert told == host.audit() and len(told) == 2

    asyncio.run(awaited())


def test_audit_events_reach_a_function_on_a_thread_of_the_program():
    told = []
    host = nbhd.Host("memory:", on_audit=lambda event: told.append((event, threading.get_ident())))
    with host.audited("user:42", "mail.send", {"to": "canary"}):
        pass
    assert [event for event, _ in told] == host.audit()
    assert {ident for _, ident in told} == {threading.get_ident()}
