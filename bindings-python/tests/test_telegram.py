"""Telegram through the binding: a webhook call becomes work, work becomes a message, and nothing is doubled."""

import asyncio
import logging

import pytest

import nbhd
from nbhd import testkit

CHAT = 4711


@pytest.fixture
def chat():
    stand_in = testkit.Telegram()
    host = nbhd.Host("memory:", clock=testkit.Clock("2026-11-21T08:00:00Z"))
    return stand_in, host, stand_in.client(host)


def test_a_message_is_received_worked_on_and_answered(chat):
    stand_in, host, telegram = chat
    headers, body = stand_in.say(CHAT, "What needs my attention today?")
    reply = telegram.receive(headers, body)
    assert (reply["status"], reply["body"], reply["accepted"][0]["duplicate"]) == (200, "", False)
    assert host.inbox.pending() == 1
    for work in host.inbox.work(wait=False):
        with work as event:
            assert (event["text"], event["provider"], event["attempt"]) == ("What needs my attention today?", "telegram", 1)
            delivery = telegram.send(event["conversation"], markdown="**Two** things", key=f"answer:{event['id']}")
    assert host.inbox.pending() == 0
    (sent,) = stand_in.messages()
    assert sent["text"] == "Two things" and sent["chat_id"] == CHAT
    assert [part["message_id"] for part in delivery["parts"]] == [str(sent["message_id"])]


def test_the_same_turn_awaited(chat):
    stand_in, host, telegram = chat

    async def turn():
        await telegram.areceive(*stand_in.say(CHAT, "hello"))
        async for work in host.inbox.work(wait=False):
            async with work as event:
                await telegram.asend(event["conversation"], text="hello to you", key=event["id"])
        return await host.inbox.apending()

    assert asyncio.run(turn()) == 0
    assert [sent["text"] for sent in stand_in.messages()] == ["hello to you"]


def test_a_second_delivery_runs_nothing(chat):
    stand_in, host, telegram = chat
    headers, body = stand_in.say(CHAT, "once")
    replies = [telegram.receive(headers, body) for _ in range(3)]
    assert [reply["accepted"][0]["duplicate"] for reply in replies] == [False, True, True]
    assert len({reply["accepted"][0]["id"] for reply in replies}) == 1
    assert host.inbox.pending() == 1


def test_a_forged_call_is_answered_and_stores_nothing(chat):
    stand_in, host, telegram = chat
    _, body = stand_in.say(CHAT, "let me in")
    reply = telegram.receive({"X-Telegram-Bot-Api-Secret-Token": "guess"}, body)
    assert (reply["status"], reply["code"], reply["accepted"]) == (401, "signature_invalid", [])
    assert host.inbox.pending() == 0


def test_a_lost_reply_is_unknown_and_is_not_sent_again(chat):
    stand_in, _, telegram = chat
    stand_in.say(CHAT, "hello")
    stand_in.fail("telegram.sendMessage", kind="lost")
    for _ in range(2):
        with pytest.raises(nbhd.NbhdError) as caught:
            telegram.send(str(CHAT), text="did it arrive?", key="k")
        assert caught.value.outcome == "unknown"
        assert [part["outcome"] for part in caught.value.delivery["parts"]] == ["unknown"]
    assert stand_in.calls("telegram.sendMessage") == 1
    assert len(stand_in.messages()) == 1


def test_a_flood_is_waited_for_and_the_same_key_sends_once(chat):
    stand_in, _, telegram = chat
    stand_in.say(CHAT, "hello")
    stand_in.fail("telegram.sendMessage", status=429, retry_after=3)
    first = telegram.send(str(CHAT), text="only once", key="k")
    again = telegram.send(str(CHAT), text="only once", key="k")
    assert first["parts"] == again["parts"]
    assert len(stand_in.messages()) == 1 and stand_in.calls("telegram.sendMessage") == 2


def test_done_and_what_is_to_be_sent_are_one_write(chat):
    stand_in, host, telegram = chat
    telegram.receive(*stand_in.say(CHAT, "hello"))
    work = host.inbox.claim()
    conversation = work.event["conversation"]
    work.commit([telegram.intent(conversation, text="stored first", key="k")])
    assert host.inbox.pending() == 0 and stand_in.messages() == []
    telegram.resume("k")
    assert [sent["text"] for sent in stand_in.messages()] == ["stored first"]


def test_work_that_raises_is_tried_again(chat, caplog):
    stand_in, host, telegram = chat
    telegram.receive(*stand_in.say(CHAT, "hello"))
    with caplog.at_level(logging.WARNING, logger="nbhd.inbox"), host.inbox.claim():
        raise ValueError("not today")
    assert [record.message for record in caplog.records] == ["work failed"]
    assert host.inbox.pending() == 1


def test_ctrl_c_leaves_the_work_to_its_lease(chat):
    stand_in, host, telegram = chat
    telegram.receive(*stand_in.say(CHAT, "hello"))
    with pytest.raises(KeyboardInterrupt), host.inbox.claim():
        raise KeyboardInterrupt
    assert host.inbox.pending() == 1


def test_a_message_is_edited_and_typing_is_shown(chat):
    stand_in, _, telegram = chat
    stand_in.say(CHAT, "hello")
    delivery = telegram.send(str(CHAT), text="one")
    (part,) = delivery["parts"]
    receipt = telegram.edit(part["message_id"], str(CHAT), markdown="**two**")
    assert (receipt["operation"], receipt["outcome"]) == ("telegram.edit", "ok")
    assert telegram.typing(str(CHAT))["operation"] == "telegram.typing"

    async def twins():
        await telegram.atyping(str(CHAT))
        return await telegram.aedit(part["message_id"], str(CHAT), text="three")

    assert asyncio.run(twins())["operation"] == "telegram.edit"
    assert [sent["text"] for sent in stand_in.messages()] == ["three"]
    with pytest.raises(nbhd.NotFound):
        telegram.edit("999", str(CHAT), text="gone")
    with pytest.raises(nbhd.InvalidInput, match="edit: .*colour"):
        telegram.edit(part["message_id"], str(CHAT), text="x", colour="red")


def test_dead_letters_are_revived_and_forgotten():
    clock = testkit.Clock("2026-11-21T08:00:00Z")
    inbox = nbhd.Host("memory:", clock=clock).inbox
    inbox.accept({"provider": "test", "instance": "1", "dedupe": ["a"], "lane": "a", "data": {"text": "hi"}})

    def die():
        for _ in range(8):
            inbox.claim().fail("no")
            clock.advance(180)
        (letter,) = inbox.dead_letters()
        return letter["event"]["id"]

    inbox.revive(die())
    assert (inbox.dead_letters(), inbox.pending()) == ([], 1)
    assert asyncio.run(awaited(inbox, die())) == []
    with pytest.raises(nbhd.NotFound):
        inbox.revive("nothing-has-this-id")
    inbox.forget_dead("nothing-has-this-id")
    assert inbox.pending() == 0


async def awaited(inbox, dead):
    """The awaitable twins of `revive` and `forget_dead`, up to the second death."""
    await inbox.arevive(dead)
    assert await inbox.apending() == 1
    work = await inbox.aclaim()
    await work.adone()
    await inbox.aforget_dead(dead)
    return await inbox.adead_letters()
