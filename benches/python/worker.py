"""Measures one Python client: `worker.py <nbhd|litellm|openai|plain> <address> <full|quick>`.

Each line on its input is one round; each line of its output that round's figures. Times in microseconds.
"""

import asyncio
import base64
import email.utils
import json
import os
import statistics
import sys
import time

MODEL = "gpt-4o-mini"
CHUNKS = 1000
MESSAGES = [
    {"role": "system", "content": "You are brief."},
    {"role": "user", "content": "What needs my attention today?"},
]
FLIGHT = 64


def timed(times, work):
    """The median time of `work`, after one call that finds everything cold."""
    work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e6


async def atimed(times, work):
    await work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e6


def batched(batches, size, work):
    """The mean time of something short, as the median of batches."""
    taken = []
    for _ in range(batches):
        began = time.perf_counter()
        for _ in range(size):
            work()
        taken.append((time.perf_counter() - began) / size)
    return statistics.median(taken) * 1e6


async def in_flight(total, work):
    """Calls a second with 64 in flight."""
    left = iter(range(total))

    async def lane():
        for _ in left:
            await work()

    began = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(FLIGHT)))
    return total / (time.perf_counter() - began)


def words(count):
    if count < CHUNKS:
        raise RuntimeError(f"a streamed answer came short: {count} chunks")


def peer_rows(name, client, scale):
    """The rows that every client has: a call, many calls, a stream; sync and async."""
    calls, many, streams = scale
    loop = asyncio.new_event_loop()
    figures = {}
    figures[f"{name}.sync"] = timed(calls, client.call)
    figures[f"{name}.async"] = loop.run_until_complete(atimed(calls, client.acall))
    figures[f"{name}.rate"] = loop.run_until_complete(in_flight(many, client.acall))
    figures[f"{name}.stream"] = timed(streams, client.stream) / CHUNKS
    figures[f"{name}.astream"] = loop.run_until_complete(atimed(streams, client.astream)) / CHUNKS
    if hasattr(client, "aclose"):
        loop.run_until_complete(client.aclose())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    return figures


class Nbhd:
    """Our router, budget and ledger on."""

    def __init__(self, address):
        import nbhd

        self.nbhd = nbhd
        self.version = nbhd.__version__
        self.host = nbhd.Host("memory:", vault_key=nbhd.Secret(base64.b64encode(bytes(range(32))).decode()))
        self.router = nbhd.Router(
            self.host,
            {
                "provider": {"openai": {"api_key": {"env": "NBHD_BENCH_KEY"}, "base_url": f"{address}/v1"}},
                "purpose": {"general": {"chain": [f"openai/{MODEL}"], "scopes": ["tenant"]}},
                "budget": {"tenant": {"day": "1000000 USD"}},
            },
        )
        root = f"{address}/"
        self.google = nbhd.Google(
            self.host,
            client_id="bench",
            client_secret="bench",
            endpoints={"token": f"{address}/token", "revoke": f"{address}/revoke", "gmail": root, "calendar": root},
        )
        self.accounts = 0
        from nbhd import testkit

        self.clock = testkit.Clock("2026-11-21T12:00:00Z")

    def call(self):
        return self.router.chat(MESSAGES, scopes=["tenant:42"])["text"]

    async def acall(self):
        return (await self.router.achat(MESSAGES, scopes=["tenant:42"]))["text"]

    def stream(self):
        words(sum(event["type"] == "text" for event in self.router.stream(MESSAGES, scopes=["tenant:42"])))

    async def astream(self):
        count = 0
        async for event in self.router.astream(MESSAGES, scopes=["tenant:42"]):
            count += event["type"] == "text"
        words(count)

    def border(self, quick):
        """What crossing the border costs when there is nothing to do."""
        batches, size = (5, 200) if quick else (20, 2000)

        def empty():
            return None

        pending = self.host.inbox.apending

        async def thousand():
            await asyncio.gather(*(pending() for _ in range(1000)))

        loop = asyncio.new_event_loop()
        figures = {
            "python.border.empty": batched(batches, size, empty),
            "python.border.sync": batched(batches, size, self.clock.now),
            "python.border.async": loop.run_until_complete(atimed(size, pending)),
            "python.border.gather": loop.run_until_complete(atimed(5 if quick else 20, thousand)) / 1000,
        }
        loop.close()
        return figures

    def mailbox(self):
        """A fresh account: Google's quota of 6,000 units a minute and user, which the library keeps to, ends a longer
        run over one."""
        self.accounts += 1
        account = self.google.account(f"bench-{self.accounts}")
        account.connect("bench-refresh")
        account.gmail.get_message("note")
        return account.gmail

    def mail(self, quick):
        """A whole message less a message of one line: reading 45 KB and its bytes on the wire."""
        whole, note = [], []
        for _ in range(1 if quick else 10):
            gmail = self.mailbox()
            for _ in range(50):
                began = time.perf_counter()
                message = gmail.get_message("mail")
                between = time.perf_counter()
                gmail.get_message("note")
                whole.append(between - began)
                note.append(time.perf_counter() - between)
        if len(message["body"]["text"]) < 6000:
            raise RuntimeError("the sample mail was not read as it was written")
        return {
            "python.mail.call": statistics.median(whole) * 1e6,
            "python.mail.note": statistics.median(note) * 1e6,
        }


class LiteLlm:
    """Its router in its lightest set-up: two deployments, shuffled, no retries, no callbacks."""

    def __init__(self, address):
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        from importlib.metadata import version

        from litellm import Router

        self.version = version("litellm")
        deployment = {
            "model_name": "general",
            "litellm_params": {"model": f"openai/{MODEL}", "api_base": f"{address}/v1", "api_key": "bench-key"},
        }
        self.router = Router(
            model_list=[deployment, json.loads(json.dumps(deployment))],
            num_retries=0,
            routing_strategy="simple-shuffle",
        )

    def call(self):
        return self.router.completion(model="general", messages=MESSAGES).choices[0].message.content

    async def acall(self):
        answer = await self.router.acompletion(model="general", messages=MESSAGES)
        return answer.choices[0].message.content

    def stream(self):
        answer = self.router.completion(
            model="general", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        words(sum(bool(chunk.choices and chunk.choices[0].delta.content) for chunk in answer))

    async def astream(self):
        answer = await self.router.acompletion(
            model="general", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        count = 0
        async for chunk in answer:
            count += bool(chunk.choices and chunk.choices[0].delta.content)
        words(count)


class OpenAi:
    """The provider's own package: no routing, no budget."""

    def __init__(self, address):
        import openai

        self.openai = openai
        self.version = openai.__version__
        self.settings = {"base_url": f"{address}/v1", "api_key": "bench-key", "max_retries": 0}
        self.client = openai.OpenAI(**self.settings)
        self.aclient = None

    def call(self):
        return self.client.chat.completions.create(model=MODEL, messages=MESSAGES).choices[0].message.content

    async def acall(self):
        # Made within the loop that uses it.
        self.aclient = self.aclient or self.openai.AsyncOpenAI(**self.settings)
        answer = await self.aclient.chat.completions.create(model=MODEL, messages=MESSAGES)
        return answer.choices[0].message.content

    def stream(self):
        answer = self.client.chat.completions.create(
            model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        words(sum(bool(chunk.choices and chunk.choices[0].delta.content) for chunk in answer))

    async def astream(self):
        self.aclient = self.aclient or self.openai.AsyncOpenAI(**self.settings)
        answer = await self.aclient.chat.completions.create(
            model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        count = 0
        async for chunk in answer:
            count += bool(chunk.choices and chunk.choices[0].delta.content)
        words(count)

    async def aclose(self):
        await self.aclient.close()
        self.aclient = None


class Plain:
    """A plain walk over the same message with the standard library."""

    def __init__(self, address):
        import platform
        import urllib.request

        self.version = platform.python_version()
        self.json = urllib.request.urlopen(f"{address}/gmail/v1/users/me/messages/mail").read()

    def read(self):
        message = json.loads(self.json)
        headers = {field["name"].lower(): field["value"] for field in message["payload"]["headers"]}
        card = {
            "id": message["id"],
            "subject": headers.get("subject"),
            "from": email.utils.parseaddr(headers.get("from", "")),
            "to": email.utils.getaddresses([headers.get("to", "")]),
            "cc": email.utils.getaddresses([headers.get("cc", "")]),
            "date": email.utils.parsedate_to_datetime(headers["date"]),
        }
        bodies = {}

        def walk(part):
            data = part["body"].get("data")
            if data and part["mimeType"].startswith("text/"):
                text = base64.urlsafe_b64decode(data).decode("utf-8", "replace")
                bodies.setdefault(part["mimeType"], text)
            for child in part.get("parts", ()):
                walk(child)

        walk(message["payload"])
        return card, bodies


SCALES = {
    "nbhd": {"full": (500, 4000, 10), "quick": (100, 500, 3)},
    "openai": {"full": (150, 400, 4), "quick": (30, 100, 2)},
    "litellm": {"full": (60, 200, 3), "quick": (15, 64, 1)},
}


def main():
    name, address, scale = sys.argv[1:]
    os.environ["NBHD_BENCH_KEY"] = "bench-key"
    client = {"nbhd": Nbhd, "litellm": LiteLlm, "openai": OpenAi, "plain": Plain}[name](address)
    print(json.dumps({"ready": f"{name} {client.version}"}), flush=True)
    for _ in sys.stdin:
        if name == "plain":
            figures = {"python.mail.walk": timed(50 if scale == "quick" else 500, client.read)}
        else:
            figures = peer_rows(f"python.{name}", client, SCALES[name][scale])
        if name == "nbhd":
            figures |= client.border(scale == "quick") | client.mail(scale == "quick")
        print(json.dumps(figures), flush=True)


main()
