"""python-telegram-bot drives the Telegram stand-in.

Usage: python run.py PATH_TO_STANDINS
"""

import asyncio
import json
import pathlib
import sys

import telegram
from telegram.constants import ChatAction, ParseMode

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import standins as peers  # noqa: E402

CHAT = 4711


def bot(standins, token=None):
    address = standins.addresses["telegram"]
    return telegram.Bot(token or address["token"], base_url=address["url"] + "/bot", base_file_url=address["url"] + "/file/bot")


def run(standins, work, token=None):
    async def inside():
        api = bot(standins, token)
        async with api:
            return await work(api)

    return asyncio.run(inside())


def refused(standins, work, kind, token=None):
    try:
        run(standins, work, token)
    except kind as error:
        return error
    raise AssertionError(f"not refused with {kind.__name__}")


def the_bot_knows_itself(standins):
    me = run(standins, lambda api: api.get_me())
    assert me.is_bot and str(me.id) == standins.addresses["telegram"]["token"].split(":")[0], me


def what_is_said_arrives(standins):
    call = standins.tell(say={"chat": CHAT, "text": "What needs my attention today?"})["call"]
    assert call["headers"]["x-telegram-bot-api-secret-token"] == standins.addresses["telegram"]["webhook_secret"]
    update = telegram.Update.de_json(json.loads(call["body"]), None)
    assert update.update_id == call["update_id"] and update.effective_chat.id == CHAT, update
    assert update.message.text == "What needs my attention today?", update
    updates = run(standins, lambda api: api.get_updates(timeout=0))
    assert update.update_id in [update.update_id for update in updates], updates


def a_message_is_sent_and_edited(standins):
    sent = run(standins, lambda api: api.send_message(CHAT, "<b>Two</b> things &amp; more", parse_mode=ParseMode.HTML))
    assert sent.text == "Two things & more" and sent.entities[0].type == "bold", sent
    # Units of UTF-16: the face takes two.
    sent = run(standins, lambda api: api.send_message(CHAT, "*😀 bold* and _more_", parse_mode=ParseMode.MARKDOWN_V2))
    assert [(entity.type, entity.offset, entity.length) for entity in sent.entities] == [("bold", 0, 7), ("italic", 12, 4)], sent
    edited = run(standins, lambda api: api.edit_message_text("done", chat_id=CHAT, message_id=sent.message_id))
    assert edited.text == "done" and edited.message_id == sent.message_id, edited
    assert run(standins, lambda api: api.send_chat_action(CHAT, ChatAction.TYPING))
    assert run(standins, lambda api: api.delete_message(CHAT, sent.message_id))


def limits_and_wrong_marks_are_refused(standins):
    run(standins, lambda api: api.send_message(CHAT, "x" * 4096))
    refused(standins, lambda api: api.send_message(CHAT, "x" * 4097), telegram.error.BadRequest)
    refused(standins, lambda api: api.send_message(CHAT, "<b>open", parse_mode=ParseMode.HTML), telegram.error.BadRequest)
    refused(standins, lambda api: api.send_message(CHAT, "1. dots", parse_mode=ParseMode.MARKDOWN_V2), telegram.error.BadRequest)
    refused(standins, lambda api: api.send_message(999_999, "hello"), telegram.error.TelegramError)
    refused(standins, lambda api: api.get_me(), telegram.error.InvalidToken, token="123456:wrong")


def a_flood_says_when_to_come_back(standins):
    standins.fail("telegram", "telegram.sendMessage", {"status": {"status": 429, "retry_after": 3}})
    error = refused(standins, lambda api: api.send_message(CHAT, "hello"), telegram.error.RetryAfter)
    seconds = error.retry_after
    assert getattr(seconds, "total_seconds", lambda: seconds)() == 3, seconds


def the_webhook_is_set(standins):
    secret = standins.addresses["telegram"]["webhook_secret"]
    assert run(standins, lambda api: api.set_webhook("https://example.com/hook", secret_token=secret))
    info = run(standins, lambda api: api.get_webhook_info())
    assert info.url == "https://example.com/hook", info
    assert run(standins, lambda api: api.delete_webhook())


if __name__ == "__main__":
    peers.main([
        the_bot_knows_itself,
        what_is_said_arrives,
        a_message_is_sent_and_edited,
        limits_and_wrong_marks_are_refused,
        a_flood_says_when_to_come_back,
        the_webhook_is_set,
    ])
