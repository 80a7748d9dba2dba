"""Google through the binding, against the stand-in: real HTTP on loopback, faults included."""

import asyncio
import pathlib
import pickle

import pytest

import nbhd
from nbhd import testkit

DATA = pathlib.Path(__file__).parents[2] / "examples" / "data"
# The Monday of the sample week, in the morning of Berlin.
MONDAY = "2026-07-06T05:00:00Z"
DAY = ("2026-07-06T00:00:00+02:00", "2026-07-07T00:00:00+02:00")


@pytest.fixture
def google():
    clock = testkit.Clock(MONDAY)
    stand_in = testkit.Google(mailbox=DATA / "sample.mbox", calendar=DATA / "sample.ics", clock=clock)
    host = nbhd.Host("memory:", clock=clock)
    return stand_in, host, stand_in.client(host).account("tenant-42")


def twins(account, service, name, *args, **options):
    """What the sync call and its awaitable twin return."""
    handle = getattr(account, service) if service else account

    async def twin():
        return await getattr(handle, f"a{name}")(*args, **options)

    return getattr(handle, name)(*args, **options), asyncio.run(twin())


def without_receipt(result):
    if isinstance(result, nbhd.Page):
        return list(result)
    return {name: value for name, value in result.items() if name != "receipt"}


def test_a_list_is_a_page_of_cards_with_its_receipt(google):
    _, host, account = google
    page, twin = twins(account, "gmail", "list_messages", limit=3)
    assert without_receipt(page) == without_receipt(twin)
    assert len(page) == 3 and page.next_page_token
    assert page.receipt["operation"] == "gmail.list_messages" and page.receipt["outcome"] == "ok"
    rest = account.gmail.list_messages(limit=20, page_token=page.next_page_token)
    assert len({card["id"] for card in [*page, *rest]}) == 7 and rest.next_page_token is None
    assert {card["trust"] for card in page} == {"untrusted"}
    # One receipt for each call, in the order in which they ended.
    assert [receipt["operation"] for receipt in host.receipts()].count("gmail.list_messages") == 3


def test_a_busy_mailbox_loses_nothing(google):
    stand_in, _, account = google
    stand_in.fail("gmail.messages.get", status=429, retry_after=1, times=3)
    page = account.gmail.list_messages(limit=20)
    assert len(page) == 7
    assert stand_in.calls("gmail.messages.get") == 10
    assert page.receipt["waits"], page.receipt


def test_a_message_has_its_decoded_text(google):
    _, _, account = google
    (card,) = account.gmail.list_messages(query="from:sato")
    message, twin = twins(account, "gmail", "get_message", card["id"])
    assert without_receipt(message) == without_receipt(twin)
    assert message["header"]["subject"] == "見本の発送について"
    assert "追跡番号は JP-4471-0932" in message["body"]["text"]


def test_events_of_today_in_the_users_zone(google):
    _, _, account = google
    page, twin = twins(account, "calendar", "list_events", window="today", time_zone="Europe/Berlin")
    assert without_receipt(page) == without_receipt(twin)
    assert [event["title"] for event in page] == ["Stand-up", "Harbour office: final numbers", "Lamp prototype with Priya"]
    assert page[0]["series_id"]


def test_busy_times_and_a_calendar_that_cannot_be_read(google):
    _, _, account = google
    answer, twin = twins(
        account, "calendar", "free_busy", *DAY, calendars=["primary", "nobody@example.com"], time_zone="Europe/Berlin"
    )
    assert without_receipt(answer) == without_receipt(twin)
    busy = [(time["start"][11:16], time["end"][11:16]) for time in answer["calendars"]["primary"]["busy"]]
    assert busy == [("09:00", "09:15"), ("09:30", "11:00")]
    assert answer["calendars"]["nobody@example.com"]["problems"][0]["reason"] == "notFound"


def test_connecting_seals_the_token_and_tells_the_state(google):
    stand_in, host, _ = google
    client = nbhd.Google(
        host,
        client_id=stand_in.client_id,
        client_secret=nbhd.Secret(stand_in.client_secret),
        endpoints=endpoints(stand_in.url),
    )
    account = client.account("tenant-7")
    assert account.status()["state"] == "not_connected"
    with pytest.raises(nbhd.NotConnected) as caught:
        account.gmail.list_messages()
    assert caught.value.outcome == "not_sent" and caught.value.user_action
    connection = account.connect(nbhd.Secret(stand_in.refresh_token))
    assert connection["state"] == "active" and connection["account"] == "tenant-7"
    state, twin = twins(account, None, "status")
    assert state["state"] == twin["state"] == "active"
    for seen in (connection, state, host.receipts(), repr(account)):
        assert stand_in.refresh_token not in repr(seen)
    before = stand_in.calls("oauth.token")
    stand_in.expire_access_tokens()
    assert len(account.gmail.list_messages(limit=1)) == 1
    assert stand_in.calls("oauth.token") == before + 1


def test_a_grant_that_does_not_suffice_is_refused_before_anything_is_sent():
    token = {"access_token": "ya29.short", "expires_in": 3599, "token_type": "Bearer"}
    token["scope"] = "https://www.googleapis.com/auth/calendar.readonly"
    script = testkit.Script([{"expect": {"method": "POST", "path": "/token"}, "reply": {"json": token}}])
    host = nbhd.Host("memory:")
    client = nbhd.Google(host, client_id="id", client_secret="secret", endpoints=endpoints(script.url))
    account = client.account("tenant-42")
    account.connect("1//refresh")
    with pytest.raises(nbhd.InsufficientScope) as caught:
        account.gmail.list_messages()
    assert caught.value.outcome == "not_sent"
    assert "gmail.readonly" in repr(caught.value.details)
    assert script.finish() == []


def test_errors_and_results_are_pickled_and_compare_as_data(google):
    _, _, account = google
    page = account.gmail.list_messages(limit=2)
    again = pickle.loads(pickle.dumps(page))
    assert type(again) is nbhd.Page and again == page
    assert (again.receipt, again.next_page_token) == (page.receipt, page.next_page_token)
    with pytest.raises(nbhd.NotFound) as caught:
        account.gmail.get_message("doesnotexist")
    error = pickle.loads(pickle.dumps(caught.value))
    assert type(error) is nbhd.NotFound
    assert (error.code, error.operation, error.receipt) == ("not_found", "gmail.get_message", caught.value.receipt)
    status, body = error.to_response()
    assert status == 404 and body["error"]["code"] == "not_found"


def test_an_unknown_option_is_named_with_those_that_are_known(google):
    stand_in, _, account = google
    with pytest.raises(nbhd.InvalidInput, match="limit"):
        account.gmail.list_messages(limits=3)
    with pytest.raises(nbhd.InvalidInput, match="free_busy"):
        account.calendar.free_busy("yesterday", "today")
    assert stand_in.calls("*") == 0


def endpoints(url):
    url = url.rstrip("/")
    return {
        "authorize": f"{url}/o/oauth2/v2/auth",
        "token": f"{url}/token",
        "revoke": f"{url}/revoke",
        "gmail": f"{url}/",
        "calendar": f"{url}/",
    }


def test_a_token_has_its_receipt_and_an_account_is_disconnected():
    stand_in = testkit.Google(mailbox=DATA / "sample.mbox")
    host = nbhd.Host("memory:")
    google = nbhd.Google(host, client_id=stand_in.client_id, client_secret=nbhd.Secret(stand_in.client_secret), endpoints=endpoints(stand_in.url))
    account = google.account("tenant-42")
    account.connect(nbhd.Secret(stand_in.refresh_token))
    receipt = account.access_token().receipt
    assert (receipt["operation"], receipt["outcome"]) == ("google.access_token", "ok")
    assert host.receipts()[-1] == receipt
    ended, again = twins(account, None, "disconnect")
    assert (ended["state"], again["state"]) == ("not_connected", "not_connected")
    assert [attempt["label"] for attempt in ended["receipt"]["attempts"]] == ["google.revoke"]
    with pytest.raises((nbhd.NotConnected, nbhd.ConnectionInactive)):
        account.access_token()
