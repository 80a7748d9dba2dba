"""asyncio, threads and signals: cancelling aborts, waiting releases the interpreter, Ctrl-C is answered."""

import asyncio
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest

import nbhd
from nbhd import testkit

CALL = {"purpose": "general", "scopes": ["tenant:42"]}


def router(host, base_url):
    return nbhd.Router(host, {
        "provider": {"openai": {"base_url": base_url, "api_key": {"env": "NBHD_TEST_KEY"}}},
        "purpose": {"general": {"chain": ["openai/gpt-4o-mini"], "scopes": ["tenant"]}},
        "budget": {"tenant": {"day": "1.00 USD"}},
    })


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("NBHD_TEST_KEY", "sk-test")


class Silent:
    """A server that takes a request, never answers, and notices when its caller goes away."""

    async def __aenter__(self):
        self.asked, self.gone = asyncio.Event(), asyncio.Event()
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def serve(self, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        self.asked.set()
        while await reader.read(65536):
            pass
        self.gone.set()
        writer.close()


def test_cancelling_a_task_aborts_its_request():
    async def main():
        async with Silent() as server:
            host = nbhd.Host("memory:")
            task = asyncio.create_task(router(host, server.url).achat("hello", **CALL))
            await asyncio.wait_for(server.asked.wait(), 60)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(server.gone.wait(), 60)

            async def told():
                # The connection is closed a moment before the operation that used it ends.
                while not host.receipts():
                    await asyncio.sleep(0)

            await asyncio.wait_for(told(), 60)
            assert [receipt["outcome"] for receipt in host.receipts()] == ["cancelled"]

    asyncio.run(main())


def test_a_timeout_of_asyncio_aborts_too():
    async def main():
        async with Silent() as server:
            host = nbhd.Host("memory:")
            call = asyncio.create_task(router(host, server.url).achat("hello", **CALL))
            await asyncio.wait_for(server.asked.wait(), 60)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(call, 0.01)
            await asyncio.wait_for(server.gone.wait(), 60)

    asyncio.run(main())


def test_many_calls_run_at_once():
    async def main():
        models = testkit.Models()
        one = router(nbhd.Host("memory:"), models.base_url("openai"))
        answers = await asyncio.gather(*(one.achat(f"question {n}", **CALL, output_cap=100) for n in range(50)))
        assert len(answers) == 50 == models.calls("llm.chat")
        (left,) = await one.aremaining(["tenant:42"])
        assert left["settled"] == models.bill()["nano_usd"] and left["held"] == 0

    asyncio.run(main())


def test_two_event_loops_one_after_the_other_and_at_once():
    models = testkit.Models()
    one = router(nbhd.Host("memory:"), models.base_url("openai"))

    def run(n):
        async def ask():
            return await one.achat(f"question {n}", **CALL, output_cap=100)

        return asyncio.run(ask())["text"]

    assert run(0) and run(1)
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(8)))


def test_waiting_calls_release_the_interpreter():
    """Eight threads wait for a server in this very interpreter: if one of them held it, nobody would be answered."""
    arrived, answers = threading.Barrier(9, timeout=300), []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(length)
        # All eight are here before any is answered.
        await asyncio.to_thread(arrived.wait)
        body = b'{"id":"1","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"message":' \
            b'{"role":"assistant","content":"hi"},"finish_reason":"stop"}],' \
            b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(8))
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        one = router(nbhd.Host("memory:"), url)
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(one.chat, f"question {n}", **CALL, output_cap=50) for n in range(8)]
            arrived.wait()
            answers = [ask.result(timeout=300)["text"] for ask in asked]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
    assert answers == ["hi"] * 8


INTERRUPTED = """
import nbhd, os, signal, threading, time
from nbhd import testkit
# A shell starts what it puts in the background without ears for it, and what that starts has none either.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["NBHD_TEST_KEY"] = "sk-test"
models = testkit.Models()
models.fail("llm.chat", kind="hang", times=9)
router = nbhd.Router(nbhd.Host("memory:"), {
    "provider": {"openai": {"base_url": models.base_url("openai"), "api_key": {"env": "NBHD_TEST_KEY"}}},
    "purpose": {"general": {"chain": ["openai/gpt-4o-mini"], "scopes": ["tenant"]}},
    "budget": {"tenant": {"day": "1.00 USD"}},
})


def tell():
    while models.calls("llm.chat") == 0:
        time.sleep(0)
    print("waiting", flush=True)


threading.Thread(target=tell).start()
try:
    router.chat("hello", purpose="general", scopes=["tenant:42"])
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_ends_a_call_that_waits():
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    # The server never answers: whoever did not hear the signal says nothing of it.
    assert process.stdout.readline() == "interrupted\n"
    assert process.wait(timeout=300) == 0


def test_methods_can_be_patched_by_name():
    google = testkit.Google()
    account = google.client(nbhd.Host("memory:")).account("tenant-42")
    with mock.patch("nbhd.Gmail.list_messages", return_value=[{"id": "1"}]) as patched:
        assert account.gmail.list_messages(limit=1) == [{"id": "1"}]
    patched.assert_called_once_with(limit=1)
    assert account.gmail.list_messages() == [] and google.calls("gmail.messages.list") == 1


def test_handles_are_not_data():
    import pickle

    host = nbhd.Host("memory:")
    for handle in (host, testkit.Google().client(host), testkit.Telegram().client(host)):
        with pytest.raises(TypeError):
            pickle.dumps(handle)
