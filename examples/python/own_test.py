"""How a program tests itself: no account, no key, no network, and as many faults as it likes."""

import nbhd
from nbhd import testkit


def test_a_busy_mailbox_loses_nothing():
    clock = testkit.Clock("2026-11-21T08:00:00Z")  # waits move it, nobody sleeps
    google = testkit.Google(clock=clock)
    for number in range(5):
        google.deliver(f"From: Ada <ada@example.com>\nSubject: Note {number}\n\nHello.\n")
    google.fail("gmail.messages.get", status=429, retry_after=1, times=3)
    account = google.client(nbhd.Host("memory:", clock=clock)).account("tenant-42")
    assert len(account.gmail.list_messages(limit=20)) == 5
    assert google.calls("gmail.messages.get") == 8
