"""A process that ends while calls are in flight: ``exit.py <way> <store>``.

It prints how much of each kind is in flight, then ends in the way of that number. ``crash`` and ``idle`` are defects that
the proof plants: a real fault of native code at exit, and a program in which nothing is in flight.
"""

import asyncio
import atexit
import ctypes
import json
import os
import signal
import sys
import threading
import time

import nbhd

WORLD = json.loads(os.environ["NBHD_PROVE_WORLD"])
TOKEN = nbhd.Secret.env("NBHD_PROVE_BOT_TOKEN")


def telegram(host, path):
    return nbhd.Telegram(host, bot_token=TOKEN, base_url=WORLD["slow"] + path)


def router(host):
    return nbhd.Router(
        host,
        {
            "provider": {"openai": {"api_key": {"env": "NBHD_PROVE_API_KEY"}, "base_url": WORLD["slow"] + "openai/v1"}},
            "purpose": {"general": {"chain": ["openai/gpt-4o-mini"]}},
            "unbudgeted": True,
        },
    )


class Flight:
    """What is in flight."""

    def __init__(self, store):
        self.host = nbhd.Host(f"sqlite:{store}")
        self.hanging = telegram(self.host, "hang")
        self.throttled = telegram(self.host, "throttled")
        self.router = router(self.host) if hasattr(nbhd, "Router") else None
        self.counts = {}
        self.ready = []

    def thread(self, kind, work):
        """Runs `work` in a daemon thread, which is inside a call when `ready` is set."""
        ready = threading.Event()
        self.ready.append(ready)
        self.counts[kind] = self.counts.get(kind, 0) + 1

        def run():
            try:
                work(ready)
            except Exception:
                pass  # the process is ending: nobody is there to be told

        threading.Thread(target=run, daemon=True).start()

    def start_sync(self):
        def hang(ready):
            ready.set()
            self.hanging.send("4711", text="hangs")

        def wait(ready):
            ready.set()
            self.throttled.send("4711", text="comes back later")

        def accept(ready):
            number = 0
            while True:
                key = f"sync-{number}"
                self.host.inbox.accept(
                    {"provider": "prove", "instance": "exit", "dedupe": [key], "lane": "x", "data": {}}
                )
                ready.set()
                number += 1

        def stream(ready):
            for _ in self.router.stream("hello", purpose="general"):
                ready.set()

        self.thread("sync calls", hang)
        self.thread("timers", wait)
        self.thread("sync calls", accept)
        if self.router:
            self.thread("streams", stream)

    async def start_async(self):
        tasks = [asyncio.ensure_future(self.hanging.asend("4711", text=str(n))) for n in range(3)]
        tasks.append(asyncio.ensure_future(self.throttled.asend("4711", text="comes back later")))
        tasks += [
            asyncio.ensure_future(
                self.host.inbox.aaccept(
                    {"provider": "prove", "instance": "exit", "dedupe": [f"async-{n}"], "lane": "y", "data": {}}
                )
            )
            for n in range(20)
        ]
        self.counts["async calls"] = len(tasks)
        if self.router:

            async def read():
                async for _ in self.router.astream("hello", purpose="general"):
                    pass

            tasks.append(asyncio.ensure_future(read()))
            self.counts["async streams"] = 1
        for task in tasks:
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
        self.tasks = tasks
        await asyncio.sleep(0.02)

    def say(self):
        for ready in self.ready:
            ready.wait(20)
        print("in flight: " + json.dumps(self.counts), flush=True)


def end_of_main(flight):
    flight.start_sync()
    flight.say()


def sys_exit_in_a_loop(flight):
    async def main():
        await flight.start_async()
        flight.say()
        sys.exit(0)

    asyncio.run(main())


def end_of_asyncio_run(flight):
    async def main():
        flight.start_sync()
        await flight.start_async()
        flight.say()

    asyncio.run(main())


def abandoned_loop(flight):
    flight.start_sync()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(flight.start_async())
    for task in flight.tasks:
        task._log_destroy_pending = False  # asyncio's own complaint about the abandoned task is not looked for here
    flight.say()
    flight.loop = loop


def exit_while_another_thread_runs_the_loop(flight):
    def run():
        loop = asyncio.new_event_loop()
        loop.create_task(flight.start_async())
        try:
            loop.run_forever()
        except Exception:
            pass

    threading.Thread(target=run, daemon=True).start()
    flight.start_sync()
    while "async calls" not in flight.counts:
        time.sleep(0.005)
    flight.say()


def ended_by_ctrl_c(flight):
    # A shell starts what it puts in the background without ears for it, and what that starts has none either.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt():
        for ready in flight.ready:
            ready.wait(20)
        flight.say()
        os.kill(os.getpid(), signal.SIGINT)

    flight.start_sync()
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        flight.hanging.send("4711", text="until Ctrl-C")
    except KeyboardInterrupt:
        sys.exit(0)


def crash(flight):
    """Native code reads where nothing is while the interpreter ends: a real fault, as a foreign thread would make one."""
    flight.start_sync()
    flight.say()
    atexit.register(ctypes.string_at, 0)


def idle(flight):
    flight.say()


WAYS = [
    end_of_main,
    sys_exit_in_a_loop,
    end_of_asyncio_run,
    abandoned_loop,
    exit_while_another_thread_runs_the_loop,
    ended_by_ctrl_c,
]
way = sys.argv[1]
({"crash": crash, "idle": idle}.get(way) or WAYS[int(way)])(Flight(sys.argv[2]))
