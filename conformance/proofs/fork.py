"""A server that loads its application, then forks: ``fork.py <kind> <store>``; ``fork.py read <store>`` is the third process.

``used`` has made sync and async calls before it forks, ``unused`` has not; ``…-thread`` forks while another thread is in
calls. The child accepts events before and after the parent has closed its store. Printed: the keys of which somebody was
told that they are done.
"""

import asyncio
import ctypes
import json
import os
import sys
import threading

import nbhd

WORLD = json.loads(os.environ.get("NBHD_PROVE_WORLD", "{}"))


def event(key):
    return {"provider": "prove", "instance": "fork", "dedupe": [key], "lane": key, "data": {"key": key}}


def read(store):
    host = nbhd.Host(f"sqlite:{store}")
    keys = []
    while (work := host.inbox.claim()) is not None:
        keys.append(work.event["key"])
        work.done()
    print(json.dumps({"keys": keys}))


class Server:
    def __init__(self, store):
        self.host = nbhd.Host(f"sqlite:{store}")
        self.telegram = nbhd.Telegram(
            self.host,
            bot_token=nbhd.Secret.env("NBHD_PROVE_BOT_TOKEN"),
            base_url=WORLD["telegram"]["base_url"],
        )
        self.told = []
        self.sent = 0
        self.problems = []

    def sync(self, name):
        try:
            self.host.inbox.accept(event(name))
            self.told.append(name)
            self.telegram.send(WORLD["telegram"]["chat"], text=name, key=name)
            self.sent += 1
        except nbhd.NbhdError as error:
            self.problems.append(f"{name}: a call answered {error.code}: {error.message}")

    def asynchronous(self, name):
        async def calls():
            await asyncio.gather(self.host.inbox.aaccept(event(name)), asyncio.sleep(0))
            self.told.append(name)
            await self.telegram.asend(WORLD["telegram"]["chat"], text=name, key=name)
            self.sent += 1

        try:
            asyncio.run(asyncio.wait_for(calls(), 20))
        except nbhd.NbhdError as error:
            self.problems.append(f"{name}: an async call answered {error.code}: {error.message}")
        except asyncio.TimeoutError:
            self.problems.append(f"{name}: an async call hung")

    def report(self):
        return {"told": self.told, "sent": self.sent, "problems": self.problems}


def child(server, kind, parent_closed, report):
    server.told, server.sent, server.problems = [], 0, []
    if kind == "elsewhere":
        server.host = nbhd.Host("memory:")
    server.sync("child-sync-before")
    server.asynchronous("child-async-before")
    os.write(report, b"\n")
    os.read(parent_closed, 1)
    server.sync("child-sync-after")
    server.asynchronous("child-async-after")
    os.write(report, json.dumps(server.report()).encode())
    os._exit(0)


def main(kind, store):
    server = Server(store)
    if not kind.startswith("unused"):
        server.sync("parent-sync")
        server.asynchronous("parent-async")
    stop = threading.Event()

    def keep_calling():
        number = 0
        while not stop.is_set():
            server.sync(f"thread-{number}")
            number += 1

    thread = threading.Thread(target=keep_calling)
    if kind.endswith("-thread"):
        thread.start()
    said, report = os.pipe()
    parent_closed, close = os.pipe()
    pid = ctypes.PyDLL(None).fork() if kind == "unseen" else os.fork()
    if pid == 0:
        child(server, kind, parent_closed, report)
    os.close(report)
    server.sync("parent-after-fork")
    first = os.read(said, 1)
    stop.set()
    if kind.endswith("-thread"):
        thread.join()
    server.host.close()
    os.write(close, b"\n")
    rest = b""
    while piece := os.read(said, 65536):
        rest += piece
    _, status = os.waitpid(pid, 0)
    answer = server.report()
    if status != 0 or not first:
        answer["problems"].append(f"the child ended with {status}")
    else:
        for name, value in json.loads(rest).items():
            answer[name] += value
    print(json.dumps(answer))


if sys.argv[1] == "read":
    read(sys.argv[2])
else:
    main(*sys.argv[1:])
