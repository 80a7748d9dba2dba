"""The Python runner of ``conformance/cases``: every case through the public API, sync and async, counted when it ran and asserted.

What works on the store is played on each of the four.
"""

import asyncio
import atexit
import copy
import json
import os
import re
import tempfile
from collections import Counter
from itertools import count
from pathlib import Path

import nbhd
import pytest
from nbhd import testkit
from servers import ALWAYS, postgres_server, redis_server

FOLDER = Path(__file__).resolve().parents[2] / "conformance"
FILES = [json.loads(path.read_text("utf-8")) for path in sorted((FOLDER / "cases").glob("*.json"))]
# How many cases held, all in memory and those that work on the store on each.
HELD = Counter()


def key_file():
    handle, path = tempfile.mkstemp(prefix="nbhd-conformance-")
    os.write(handle, b"sk-conformance-0123456789")
    os.close(handle)
    atexit.register(os.unlink, path)
    return path


KEY_FILE = key_file()


def cases():
    for file in FILES:
        for case in file["cases"]:
            begin = file.get("given", {})[case["given"]] if "given" in case else {}
            yield {
                "clock": "2026-11-21T08:00:00Z",
                "config": file.get("config"),
                **case,
                "operation": file["operation"],
                "setup": begin.get("setup", []) + case.get("setup", []),
                "http": begin.get("http", []) + case.get("http", []),
            }


CASES = list(cases())
PURE = "host.force_open host.breakers brief.validate window.resolve secret.redact vault.open listener.exposure audit.parameters_hash".split()

# The rooms whose operations work on the store, and the stores, memory first; NBHD_STORES names fewer.
ROOMS = "alert google inbox limit outbox queue state store".split()
STORES = os.environ.get("NBHD_STORES", "memory sqlite redis postgres").split()


def stores_of(case):
    return STORES if case["operation"].split(".")[0] in ROOMS else STORES[:1]


@pytest.fixture(scope="session")
def fresh(tmp_path_factory):
    """Makes addresses of fresh stores; the servers are started once."""
    folder, number = tmp_path_factory.mktemp("stores"), count()
    with redis_server(folder, *ALWAYS) as redis, postgres_server() as postgres:
        addresses = {
            "memory": lambda _: "memory:",
            "sqlite": lambda number: f"sqlite:{folder}/case-{number}.db",
            "redis": lambda number: f"{redis}?namespace=case{number}",
            "postgres": lambda number: f"{postgres}?schema=case{number}",
        }
        yield lambda kind: addresses[kind](next(number))


class Stage:
    """One program around a case."""

    def __init__(self, case, server, store):
        self.server = server.rstrip("/")
        self.clock = testkit.Clock(case["clock"])
        key = nbhd.Secret("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
        self.host = nbhd.Host(store, vault_key=key, clock=self.clock)
        self.host.create_store()
        roots = {name: f"{self.server}/{name}" for name in ("authorize", "token", "revoke")}
        google = nbhd.Google(
            self.host,
            client_id="conformance-client",
            client_secret=nbhd.Secret("GOCSPX-conformance-0123456789"),
            endpoints={**roots, "gmail": f"{self.server}/", "calendar": f"{self.server}/"},
        )
        self.account = google.account("tenant-42")
        self.telegram = nbhd.Telegram(
            self.host,
            bot_token=nbhd.Secret("123456:conformance-0123456789"),
            webhook_secret=nbhd.Secret("conformance-webhook"),
            base_url=self.server,
            username="conformance_bot",
        )
        self.config = case["config"]
        self.local = nbhd.Limits(self.host, local=True)

    def fill(self, value):
        text = json.dumps(value).replace("{{server}}", self.server).replace("{{key_file}}", KEY_FILE)
        return json.loads(text)

    def target(self, operation, given):
        """The handle, the verb and the arguments of a call."""
        match operation.split("."):
            case ["google", "connect"]:
                return self.account, "connect", [nbhd.Secret(given.pop("refresh_token"))], given
            case ["google", verb]:
                return self.account, verb, [], given
            case ["gmail", "get_message"]:
                return self.account.gmail, "get_message", [given["id"]], {}
            case ["gmail", verb]:
                return self.account.gmail, verb, [], given
            case ["calendar", "free_busy"]:
                return self.account.calendar, "free_busy", [given.pop("time_min"), given.pop("time_max")], given
            case ["calendar", verb]:
                return self.account.calendar, verb, [], given
            case ["router", verb]:
                return nbhd.Router(self.host, self.fill(self.config)), verb, [given.pop("messages")], given
            case ["telegram", "send"]:
                return self.telegram, "send", [given.pop("conversation")], given
            case ["telegram", "receive"]:
                body = given["body"] if isinstance(given["body"], str) else json.dumps(given["body"])
                return self.telegram, "receive", [given["headers"], body.encode() * given.get("times", 1)], {}
            case ["telegram", "edit"]:
                return self.telegram, "edit", [given.pop("message_id"), given.pop("conversation")], given
            case ["telegram", "typing"]:
                return self.telegram, "typing", [given["conversation"]], {}
            case ["inbox", "dead_letters"]:
                return self.host.inbox, "dead_letters", [], {}
            case ["inbox", ("revive" | "forget_dead") as verb]:
                return self.host.inbox, verb, [given.get("id") or self.host.inbox.dead_letters()[0]["event"]["id"]], {}
            case ["host", "secure_request"]:
                given["credentials"] = [credential(**one) for one in given.pop("credentials", [])]
                return self.host, "secure_request", [given.pop("request")], given
            case ["inbox", "ingest"]:
                body = given.pop("body")
                body = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
                return self.host.inbox, "ingest", [given, body.encode()], {}
            case ["outbox", "plan"]:
                return self.host.outbox, "plan", [given], {}
            case ["outbox", ("expire" | "undelivered") as verb]:
                return self.host.outbox, verb, [], given
            case ["outbox", verb]:
                return self.host.outbox, verb, list(given.values()), {}
            case ["store", "scan"]:
                return self.host.store, "scan", [given.pop("index")], given
            case ["store", verb]:
                return self.host.store, verb, [given["key"]], {}
            case ["limit", "take"]:
                return self.local if given.get("local") else nbhd.Limits(self.host), "take", [given["limits"]], {}
            case ["alert", _]:
                return nbhd.AlertGate(self.host), "begin", [given["check"], given["recipient"]], {}
            case ["state", _]:
                return nbhd.StateGate(self.host), "begin", [given["name"], given["state"]], {}
            case ["queue", verb]:
                queue = nbhd.Queue(self.host, self.config)
                if "caller" not in given:
                    return queue.worker(given["target"], "w1"), "claim", [], {}
                caller = given.pop("caller")
                return (queue, verb, [caller, given], {}) if verb == "dispatch" else (queue, verb, [caller], given)
            case ["inbox", "accept"]:
                return self.host.inbox, "accept", [given], {}
            case ["inbox", verb]:
                return self.host.inbox, "pending" if verb == "pending" else "claim", [], {}
        raise AssertionError(f"{operation} is not known here")

    def pure(self, operation, given):
        """What needs no waiting, and so has no awaitable twin."""
        match operation:
            case "host.force_open":
                return self.host.force_open(given["url"], given["reason"])
            case "host.breakers":
                return self.host.breakers()
            case "brief.validate":
                return nbhd.validate_brief(given["answer"], given["references"])
            case "window.resolve":
                return nbhd.resolve_window(given.pop("window"), **given)
            case "secret.redact":
                return nbhd.redact(**given)
            case "vault.open":
                return self.host.vault.open(given.pop("sealed"), **given)
            case "listener.exposure":
                return nbhd.listener_exposure(given["address"])
            case "audit.parameters_hash":
                return nbhd.parameters_hash(given["parameters"])

    def call(self, operation, given):
        if operation in PURE:
            return self.pure(operation, given)
        target, verb, args, kwargs = self.target(operation, given)
        result = getattr(target, verb)(*args, **kwargs)
        if operation == "router.stream":
            return told(list(result))
        if operation in ENDS:
            verb, args = ENDS[operation](given)
            return getattr(result, verb)(*args)
        return plain(result)

    async def acall(self, operation, given):
        if operation in PURE:
            return self.pure(operation, given)
        target, verb, args, kwargs = self.target(operation, given)
        result = getattr(target, f"a{verb}")(*args, **kwargs)
        if operation == "router.stream":
            return told([event async for event in result])
        result = await result
        if operation in ENDS:
            verb, args = ENDS[operation](given)
            return await getattr(result, f"a{verb}")(*args)
        return plain(result)


# How what was claimed is ended: the verb and its arguments.
ENDS = {
    "inbox.commit_with": lambda given: ("commit_with", [given["sends"], given["writes"]]),
    "inbox.done": lambda given: ("done", []),
    "inbox.fail": lambda given: ("fail", [given["reason"]]),
    "queue.complete": lambda given: ("complete", [given.get("result")]),
    "queue.fail": lambda given: ("fail", [given["reason"]]),
    "queue.give_up": lambda given: ("give_up", [given["reason"]]),
    **{f"{gate}.{end}": lambda given, end=end: (end, []) for gate in ("alert", "state") for end in ("sent", "failed")},
}


def credential(origin, secret, **place):
    make = getattr(nbhd.Credential, place.pop("in"))
    prefix = {"prefix": place.pop("prefix")} if "prefix" in place else {}
    return make(origin, *place.values(), nbhd.Secret(secret), **prefix)


def plain(result):
    if isinstance(result, nbhd.JobWork):
        return result.job
    if isinstance(result, nbhd.Ticket):
        return True
    if isinstance(result, nbhd.Page):
        return {"items": list(result), "next_page_token": result.next_page_token, "receipt": result.receipt}
    if isinstance(result, nbhd.AccessToken):
        return {"token": result.reveal(), "scopes": result.scopes, "expires_at": result.expires_at, "receipt": result.receipt}
    return result.event if isinstance(result, nbhd.Work) else result


def told(events):
    kinds = [event["type"] for event in events]
    answer = next((event["answer"] for event in events if event["type"] == "finished"), None)
    return {
        "events": [kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind],
        "text": "".join(event["text"] for event in events if event["type"] == "text"),
        "tool_calls": [event for event in events if event["type"] == "tool_call"],
        "answer": answer,
        "receipt": answer and answer["receipt"],
    }


async def play(case, sync, store="memory:"):
    """What the case came to, its receipt, and what was wrong on the way."""
    script = testkit.Script(case["http"])
    stage = Stage(case, script.url, store)
    problems = []

    async def call(operation, given):
        try:
            given = stage.fill(given)
            return {"ok": stage.call(operation, given) if sync else await stage.acall(operation, given)}
        except nbhd.NbhdError as error:
            names = "code outcome retryable retry_after operation provider provider_status provider_reason request_id"
            names += " attempts user_action budget delivery details causes receipt message"
            return {"error": {name: getattr(error, name) for name in names.split()}}

    for step in case["setup"]:
        if "advance" in step:
            stage.clock.advance(step["advance"])
            continue
        if step.get("abandoned"):
            begun = asyncio.ensure_future(stage.acall(step["operation"], stage.fill(step["input"])))
            while script.finish() and not begun.done():
                await asyncio.sleep(0)
            problems += [] if begun.cancel() else [f"setup: {step['operation']} was not abandoned"]
            await asyncio.wait([begun])
            continue
        came = await call(step["operation"], step["input"])
        if came.get("error", {}).get("code") != step.get("error"):
            problems.append(f"setup: {step['operation']} came to {came}")
    came = await call(case["operation"], case["input"])
    receipts = stage.host.receipts()
    receipt = receipts[-1] if receipts else None
    result = came.get("error") or came["ok"]
    carried = result.get("receipt") if isinstance(result, dict) else None
    if carried is not None and carried != receipt:
        problems.append("the receipt of the call is not the one that the host got")
    problems += misspelt_times("expect", came) + misspelt_times("receipts", receipts)
    stage.host.close()
    return came, receipt, problems + script.finish()


def differences(place, expected, got):
    if expected == "*":
        return [] if got is not None else [f"{place}: nothing is there"]
    if isinstance(expected, dict) and isinstance(got, dict):
        return [found for name in expected for found in differences(f"{place}.{name}", expected[name], got.get(name))]
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        pairs = enumerate(zip(expected, got))
        return [found for at, (one, other) in pairs for found in differences(f"{place}[{at}]", one, other)]
    same = expected == got and isinstance(expected, bool) == isinstance(got, bool)
    return [] if same else [f"{place}: expected {expected!r}, got {got!r}"]


# RFC 3339, `Z` for UTC, a fraction only where it is not zero, of microseconds at most.
A_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
RIGHT = re.compile(r".{10}T.{8}(\.(?!0+[Z+-])\d{1,6})?(Z|[+-](?!00:00)\d\d:\d\d)")


def misspelt_times(place, value):
    if isinstance(value, dict):
        return [found for name in value for found in misspelt_times(f"{place}.{name}", value[name])]
    if isinstance(value, list):
        return [found for at, item in enumerate(value) for found in misspelt_times(f"{place}[{at}]", item)]
    wrong = isinstance(value, str) and A_TIME.fullmatch(value) and not RIGHT.fullmatch(value)
    return [f"{place}: {value} is not how times are spelled"] if wrong else []


def test_one_spelling_of_times_passes():
    right = ["08:00:00Z", "08:00:00.250Z", "08:00:00.000001Z", "09:00:00+01:00", "09:00:00-10:00", "14:00:00"]
    wrong = ["08:00:00+00:00", "08:00:00-00:00", "08:00:00.000000Z", "08:00:00.123456789Z", "08:00:00z"]
    assert [time for time in right if misspelt_times("", f"2026-11-21T{time}")] == []
    assert [time for time in wrong if not misspelt_times("", f"2026-11-21T{time}")] == []


def judge(played, expect, receipt=None):
    came, left, problems = played
    return problems + differences("expect", expect, came) + (differences("receipt", receipt, left) if receipt else [])


def altered(expect):
    """The same expectation with its first plain value altered."""

    def alter(value):
        if isinstance(value, (dict, list)) and value:
            for name in list(value) if isinstance(value, dict) else range(len(value)):
                done, value[name] = alter(value[name])
                if done:
                    return True, value
            return False, value
        return (False, value) if value == "*" else (True, "altered")

    return alter(copy.deepcopy(expect))[1]


@pytest.mark.parametrize(
    ("case", "store"),
    [
        pytest.param(case, store, id=f"{case['operation']}: {case['name']}, {store}")
        for case in CASES
        for store in stores_of(case)
    ],
)
def test_case(case, store, fresh):
    # The awaitable twin is the language's affair: once, in memory, it is played as well.
    for sync in (False, True) if store == STORES[0] else (False,):
        played = asyncio.run(play(case, sync, fresh(store)))
        assert judge(played, case["expect"], case.get("receipt")) == []
        assert judge(played, altered(case["expect"])) != [], "it asserts nothing"
    HELD["conformance python"] += store == STORES[0]
    HELD[f"contract python {store}"] += case["operation"].split(".")[0] in ROOMS


def test_an_altered_expectation_fails():
    for wanted in (lambda case: "ok" in case["expect"], lambda case: "error" in case["expect"]):
        case = next(filter(wanted, CASES))
        played = asyncio.run(play(case, True))
        assert judge(played, case["expect"]) == []
        assert len(judge(played, altered(case["expect"]))) == 1
    case = next(case for case in CASES if "receipt" in case)
    played = asyncio.run(play(case, True))
    assert judge(played, case["expect"], case["receipt"]) == []
    assert len(judge(played, case["expect"], altered(case["receipt"]))) == 1
    unasked = {**case, "http": [*case["http"], {"expect": {"method": "GET", "path": "/never"}, "reply": {}}]}
    assert len(judge(asyncio.run(play(unasked, True)), case["expect"])) == 1


def test_the_count_is_told(capfd):
    with capfd.disabled():
        print("", *(f"{what} {held}" for what, held in HELD.items()), sep="\n")
