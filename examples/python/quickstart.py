"""One turn of an assistant, offline: stand-ins take the places of Google, the model and Telegram."""

import os

import nbhd
from nbhd import testkit

google, models, chat = testkit.Google(), testkit.Models(), testkit.Telegram()
google.deliver("From: Ada <ada@example.com>\nSubject: The offer\n\nCould you answer by noon?\n")
os.environ["OPENAI_API_KEY"] = "a stand-in takes any key"

host = nbhd.Host("memory:")  # "sqlite:nbhd.db" keeps its state
account = google.client(host).account("tenant-42")
telegram = chat.client(host)
router = nbhd.Router(host, {
    "provider": {"openai": {"base_url": models.base_url("openai"), "api_key": {"env": "OPENAI_API_KEY"}}},
    "purpose": {"general": {"chain": ["openai/gpt-4o-mini"], "scopes": ["tenant"]}},
    "budget": {"tenant": {"day": "2.00 USD"}},
})

telegram.receive(*chat.say(4711, "What needs my attention?"))  # a webhook call: verified and stored
for work in host.inbox.work(wait=False):
    with work as event:  # done when the block ends, tried again when it raises
        question = event["text"]
        for mail in account.gmail.list_messages(query="is:unread", limit=20):
            question += f"\ngmail:{mail['id']} | From: {mail['from']['email']} | Subject: {mail['subject']}"
        answer = router.chat(question, purpose="general", scopes=["tenant:42"])
        telegram.send(event["conversation"], text=answer["text"], key=f"answer:{event['id']}")
print(chat.messages()[-1]["text"], f"({answer['cost']['usd']} USD)", sep="\n")
