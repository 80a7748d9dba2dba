"""What users write, for the type checkers alone: every line has to be accepted, and each marked line refused.

An unused mark is an error as well (`--warn-unused-ignores`), so a wrong use that is no longer noticed fails the test.
"""

from __future__ import annotations

import asyncio
from typing import Any

from typing_extensions import assert_type

import nbhd
from nbhd.types import Answer, CalendarEvent, Connection, InboundEvent, ListMessages, MessageCard, Receipt, RouterConfig


def read(host: nbhd.Host) -> list[MessageCard]:
    google = nbhd.Google(host, client_id="id", client_secret=nbhd.Secret.env("GOOGLE_CLIENT_SECRET"))
    account = google.account("tenant-42")
    assert_type(account.connect(refresh_token=nbhd.Secret.env("GOOGLE_REFRESH_TOKEN")), Connection)
    unread = account.gmail.list_messages(query="is:unread", limit=20)
    assert_type(unread, nbhd.Page[MessageCard])
    assert_type(unread.receipt, Receipt)
    assert_type(unread.next_page_token, "str | None")
    options: ListMessages = {"query": "is:unread", "limit": 20}
    account.gmail.list_messages(**options)
    for event in account.calendar.list_events(window="today", time_zone="Europe/Berlin"):
        assert_type(event, CalendarEvent)
        start = event["start"]
        if start is not None and start["type"] == "timed":
            print(start["at"], start["zone"])
    account.gmail.list_messages(limit="twenty")  # type: ignore[arg-type]
    account.gmail.list_messages(q="is:unread")  # type: ignore[call-arg]
    account.gmail.get_message(7)  # type: ignore[arg-type]
    print(unread[0]["subjekt"])  # type: ignore[typeddict-item]
    nbhd.Google(host, client_id="id")  # type: ignore[call-arg]
    return unread


def ask(host: nbhd.Host) -> str:
    config: RouterConfig = {
        "provider": {"openai": {"api_key": {"env": "OPENAI_API_KEY"}}},
        "purpose": {"general": {"chain": ["openai/some-model"], "timeout": {"total": "60s"}}},
        "budget": {"tenant": {"day": "2.00 USD"}},
    }
    router = nbhd.Router(host, config)
    nbhd.Router(host, "llm.toml")
    answer = router.chat("What needs my attention?", purpose="general", scopes=["tenant:42"])
    assert_type(answer, Answer)
    print(answer["text"], answer["model"], answer["cost"]["usd"])
    router.chat([{"role": "user", "content": "hello"}], scopes=["tenant:42"])
    router.chat("hello", purpos="general")  # type: ignore[call-arg]
    router.chat([{"role": "nobody", "content": "hello"}])  # type: ignore[typeddict-item]
    text = ""
    for event in router.stream("hello", scopes=["tenant:42"]):
        if event["type"] == "text":
            text += event["text"]
        elif event["type"] == "finished":
            assert_type(event["answer"], Answer)
        elif event["type"] == "failed":  # type: ignore[comparison-overlap]
            pass
    return text


async def ask_async(router: nbhd.Router, telegram: nbhd.Telegram, inbox: nbhd.Inbox) -> None:
    assert_type(await router.achat("hello"), Answer)
    assert_type(await asyncio.create_task(router.achat("hello")), Answer)
    assert_type(asyncio.run(inbox.apending()), int)
    async for event in router.astream("hello"):
        print(event["type"])
    async for work in inbox.work():
        async with work as accepted:
            delivery = await telegram.asend(accepted["conversation"], markdown="…", key=f"answer:{accepted['id']}")
            print(delivery["parts"][0]["outcome"])
    await telegram.asend("telegram:1:2", markdown="…", quiet=True)  # type: ignore[call-arg]


def answer_events(host: nbhd.Host, telegram: nbhd.Telegram, headers: dict[str, str], body: bytes) -> int:
    reply = telegram.receive(headers, body)
    for work in host.inbox.work(wait=False):
        with work as event:
            message: InboundEvent = event  # type: ignore[assignment]
            print(message["text"])
            work.commit([telegram.intent(event["conversation"], markdown="…", key="answer")])
            work.commit_with([], [{"type": "put", "key": "orders/1", "value": "paid"}])
            work.commit_with([], ["orders/1"])  # type: ignore[list-item]
    assert_type(host.store.sum("orders"), int)
    return reply["status"]


def refuse(router: nbhd.Router) -> tuple[int, dict[str, Any]]:
    try:
        router.chat("hello", purpose="general", scopes=["tenant:42"])
    except nbhd.BudgetExceeded as error:
        print(error.remaining, error.affordable_output_tokens, error.resets_at)
        return error.to_response()
    except nbhd.NbhdError as error:
        if error.outcome == "unknown" and error.retry_after is not None:
            print(error.code, error.user_action, error.receipt)
        if error.outcome == "lost":  # type: ignore[comparison-overlap]
            pass
        return error.to_response()
    return 200, {}


def test_a_busy_mailbox() -> None:
    with nbhd.testkit.Google(mailbox="tests/inbox.mbox") as fake:
        fake.fail("gmail.messages.get", status=429, retry_after=1, times=3)
        account = fake.client(nbhd.Host("memory:")).account("tenant-42")
        assert len(account.gmail.list_messages(limit=20)) == 20
        assert fake.calls("gmail.messages.get") >= 20
