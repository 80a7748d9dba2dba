"""Shows everything that Python can show of a program that holds secrets. The proof searches what was printed.

Secrets are named by their source and never held in a variable here, so that tracebacks with locals may be shown too.
"""

import asyncio
import copy
import json
import logging
import os
import pickle
import pprint
import sys
import time
import traceback
import urllib.request

import nbhd

logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
WORLD = json.loads(os.environ["NBHD_PROVE_WORLD"])
STORE = os.environ["NBHD_PROVE_STORE"]
FAULTS = [
    {"status": {"status": 401}},
    {"status": {"status": 403}},
    {"status": {"status": 400}},
    {"status": {"status": 429, "retry_after": 3600}},
    "garbage",
    "cut",
    "close",
]


def env(name):
    return nbhd.Secret.env(f"NBHD_PROVE_{name}")


def control(command, **asked):
    request = urllib.request.Request(WORLD["control"] + command, json.dumps(asked).encode(), method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def show(what, value):
    """Every way in which a value becomes text or bytes."""
    print(what, repr(value), str(value), f"{value}", ascii(value))
    pprint.pprint(value)
    for attempt in (vars, dir, pickle.dumps, copy.copy, copy.deepcopy, json.dumps, bytes):
        try:
            print(what, attempt.__name__, attempt(value))
        except Exception as error:
            print(what, attempt.__name__, "refused:", repr(error))
    for name in dir(value):
        if name in ("reveal",) or callable(getattr(type(value), name, None)):
            continue
        try:
            print(what, name, repr(getattr(value, name)))
        except Exception as error:
            print(what, name, "refused:", repr(error))


def shown(what, call):
    """Makes a call and shows what it answers or raises."""
    try:
        value = call()
    except Exception as error:
        show(what, error)
        print(what, error.args, getattr(error, "causes", None), error.__cause__, error.__context__)
        if isinstance(error, nbhd.NbhdError):
            print(what, error.to_response())
        traceback.print_exc()
        print("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
        logging.getLogger("probe").exception("%r", error)
        return None
    show(what, value)
    return value


host = nbhd.Host(f"sqlite:{STORE}", vault_key=env("VAULT_KEY"))
google = nbhd.Google(
    host,
    client_id=WORLD["google"]["client_id"],
    client_secret=env("CLIENT_SECRET"),
    endpoints=WORLD["google"]["endpoints"],
)
account = google.account("tenant-42")
telegram = nbhd.Telegram(
    host,
    bot_token=env("BOT_TOKEN"),
    webhook_secret=env("WEBHOOK_SECRET"),
    base_url=WORLD["telegram"]["base_url"],
)
router = nbhd.Router(host, WORLD["router"])


def chat():
    return router.chat("What needs my attention?", purpose="general", output_cap=64)


def send(key):
    return telegram.send("4711", markdown="**Done.**", key=key)


def events():
    return account.calendar.list_events(limit=3)


def messages():
    return account.gmail.list_messages(limit=3)


def good():
    assert shown("connection", lambda: account.connect(refresh_token=env("REFRESH_TOKEN"))) is not None
    cards = shown("messages", messages)
    assert cards, "the mailbox is empty"
    assert shown("message", lambda: account.gmail.get_message(cards[0]["id"]))
    assert shown("events", events) is not None
    assert shown("status", account.status)
    shown("access token", account.access_token)
    call = control("say", text="What needs my attention?")
    for _ in range(2):
        reply = shown("received", lambda: telegram.receive(call["headers"], call["body"].encode()))
        assert reply["status"] == 200, reply
        control("answered", status=reply["status"])
        call = control("say", text="And tomorrow?")
    assert shown("probe", telegram.probe)
    assert shown("delivery", lambda: send("good"))
    assert shown("answer", chat)
    shown("explained", lambda: router.explain("Hello", purpose="general"))
    shown("router status", router.status)
    assert shown("stream", lambda: list(router.stream("Hello", purpose="general", output_cap=64)))
    for handle in (host, google, account, account.gmail, account.calendar, telegram, router, host.inbox):
        show(type(handle).__name__, handle)
    for name in ("REFRESH_TOKEN", "CLIENT_SECRET", "API_KEY", "BOT_TOKEN", "WEBHOOK_SECRET", "VAULT_KEY"):
        show("secret", env(name))
        show("given secret", nbhd.Secret(os.environ[f"NBHD_PROVE_{name}"]))


def failing():
    for number, fault in enumerate(FAULTS):

        def fail(service, label):
            control("fail", service=service, label=label, fault=fault, times=2)

        fail("google", "gmail.messages.list")
        shown("failing messages", messages)
        control("expire")
        fail("google", "oauth.token")
        shown("failing refresh", events)
        fail("telegram", "telegram.sendMessage")
        shown("failing delivery", lambda: send(f"failing-{number}"))
        fail("models", "llm.chat")
        shown("failing answer", chat)

        async def twins():
            fail("telegram", "telegram.sendMessage")
            return await telegram.asend("4711", markdown="**Done.**", key=f"async-{number}")

        shown("failing async delivery", lambda: asyncio.run(twins()))
    call = control("say", text="forged")
    forged = {name: "not the secret" if "secret" in name.lower() else value for name, value in call["headers"].items()}
    reply = shown("forged", lambda: telegram.receive(forged, call["body"].encode()))
    control("answered", status=reply["status"])


def wrong():
    """Secrets where none may stand. They are written into the call itself: no local of this program holds them."""
    shown("wrong router", lambda: nbhd.Router(host, {"provider": {"openai": {"api_key": os.environ["NBHD_PROVE_API_KEY"]}}, "unbudgeted": True}))
    shown("wrong option", lambda: nbhd.Router(host, {"provider": {"openai": {"key": os.environ["NBHD_PROVE_API_KEY"]}}}))
    shown("wrong scope", lambda: account.connect(refresh_token=env("REFRESH_TOKEN"), scopes=os.environ["NBHD_PROVE_REFRESH_TOKEN"]))
    shown("wrong type", lambda: account.connect(refresh_token=[os.environ["NBHD_PROVE_REFRESH_TOKEN"]]))
    shown("wrong bot", lambda: nbhd.Telegram(host, bot_token=os.environ["NBHD_PROVE_BOT_TOKEN"] + " ", base_url="x:" + os.environ["NBHD_PROVE_BOT_TOKEN"]))


good()
failing()
wrong()
if "python-logs-token" in sys.argv:
    logging.getLogger("probe").debug("with %s", account.access_token().reveal())
for receipt in host.receipts():
    show("receipt", receipt)
open(f"{STORE}.ready", "w").close()
while not os.path.exists(f"{STORE}.go"):
    time.sleep(0.005)
host.close()
