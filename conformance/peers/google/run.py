"""Google's own Python client drives the Google stand-in through what the demo does, and through what goes wrong.

Usage: python run.py PATH_TO_STANDINS
"""

import base64
import datetime
import json
import pathlib
import sys

import google_auth_httplib2
import httplib2
from google.auth.exceptions import RefreshError
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import standins as peers  # noqa: E402

SCOPES = [
    "https://www.googleapis.com/auth/gmail.readonly",
    "https://www.googleapis.com/auth/calendar.readonly",
]


def credentials(google, refresh_token=None, token=None, secret=None, scopes=None):
    return Credentials(
        token=token,
        refresh_token=refresh_token or google["refresh_token"],
        token_uri=google["token_uri"],
        client_id=google["client_id"],
        client_secret=secret or google["client_secret"],
        scopes=scopes,
    )


def service(google, name, version, creds):
    """A client from the discovery document inside the package: no network but loopback."""
    http = google_auth_httplib2.AuthorizedHttp(creds, http=httplib2.Http(timeout=10))
    return build(
        name,
        version,
        http=http,
        static_discovery=True,
        client_options={"api_endpoint": google["url"] + ("/calendar/v3/" if name == "calendar" else "/")},
    )


def refused(call, status):
    try:
        call()
    except HttpError as error:
        assert error.status_code == status, (error.status_code, error.content)
        return error
    raise AssertionError(f"not refused with {status}")


CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


@check
def a_token_is_refreshed_before_the_first_call(standins):
    creds = credentials(standins.addresses["google"], scopes=SCOPES)
    gmail = service(standins.addresses["google"], "gmail", "v1", creds)
    profile = gmail.users().getProfile(userId="me").execute()
    assert profile["emailAddress"] == standins.addresses["google"]["address"] == "maya@example.com", profile
    assert profile["messagesTotal"] == 7 and profile["threadsTotal"] == 5, profile
    assert creds.valid and set(creds.granted_scopes) == set(SCOPES), creds.granted_scopes


@check
def a_token_that_is_refused_is_refreshed_once(standins):
    creds = credentials(standins.addresses["google"], token="made-up")
    gmail = service(standins.addresses["google"], "gmail", "v1", creds)
    before = standins.calls("google", "oauth.token")
    gmail.users().labels().list(userId="me").execute()
    assert standins.calls("google", "oauth.token") == before + 1
    standins.tell(expire_access_tokens={"service": "google"})
    gmail.users().labels().list(userId="me").execute()
    assert standins.calls("google", "oauth.token") == before + 2


@check
def messages_are_listed_in_pages(standins):
    messages = service(standins.addresses["google"], "gmail", "v1", credentials(standins.addresses["google"])).users().messages()
    request, found = messages.list(userId="me", maxResults=3), []
    while request is not None:
        answer = request.execute()
        found += answer["messages"]
        request = messages.list_next(request, answer)
    assert len(found) == len({message["id"] for message in found}) == 7, found
    unread = messages.list(userId="me", q="is:unread in:inbox").execute()["messages"]
    assert len(unread) == 5, unread
    assert "messages" not in messages.list(userId="me", q="from:nobody").execute()


@check
def a_message_is_read_with_its_text(standins):
    users = service(standins.addresses["google"], "gmail", "v1", credentials(standins.addresses["google"])).users()
    found = users.messages().list(userId="me", q="from:sato").execute()["messages"]
    message = users.messages().get(userId="me", id=found[0]["id"], format="full").execute()
    headers = {header["name"]: header["value"] for header in message["payload"]["headers"]}
    assert headers["Subject"] == "見本の発送について", headers
    text = base64.urlsafe_b64decode(message["payload"]["body"]["data"]).decode("utf-8")
    assert "追跡番号は JP-4471-0932" in text, text
    age = datetime.datetime.now().timestamp() - int(message["internalDate"]) / 1000
    assert 0 < age < 7 * 86400, age
    raw = users.messages().get(userId="me", id=found[0]["id"], format="raw").execute()["raw"]
    assert b"ISO-2022-JP" in base64.urlsafe_b64decode(raw)


@check
def an_attachment_is_fetched(standins):
    users = service(standins.addresses["google"], "gmail", "v1", credentials(standins.addresses["google"])).users()
    found = users.messages().list(userId="me", q="has:attachment").execute()["messages"]
    message = users.messages().get(userId="me", id=found[0]["id"]).execute()
    part = next(part for part in message["payload"]["parts"] if part["filename"])
    body = users.messages().attachments().get(
        userId="me", messageId=message["id"], id=part["body"]["attachmentId"]
    ).execute()
    assert part["filename"] == "hours.csv"
    assert base64.urlsafe_b64decode(body["data"]).startswith(b"day,person,hours")


@check
def a_conversation_is_a_thread(standins):
    users = service(standins.addresses["google"], "gmail", "v1", credentials(standins.addresses["google"])).users()
    found = users.threads().list(userId="me", q="subject:harbour").execute()["threads"]
    assert len(found) == 1, found
    thread = users.threads().get(userId="me", id=found[0]["id"], format="metadata").execute()
    assert len(thread["messages"]) == 3


@check
def a_batch_of_25_is_answered_part_by_part(standins):
    gmail = service(standins.addresses["google"], "gmail", "v1", credentials(standins.addresses["google"]))
    ids = [message["id"] for message in gmail.users().messages().list(userId="me").execute()["messages"]]
    standins.fail("google", "gmail.messages.get", {"status": {"status": 429, "retry_after": 1}}, times=2)
    answers, errors = {}, {}

    def each(request_id, answer, error):
        (errors if error else answers)[request_id] = error or answer

    # `new_batch_http_request` goes to the host of the discovery document, whatever the endpoint says; the path is its own.
    batch = BatchHttpRequest(callback=each, batch_uri=standins.addresses["google"]["url"] + "/batch")
    wanted = {}
    for index in range(25):
        wanted[str(index)] = ids[index % len(ids)]
        batch.add(
            gmail.users().messages().get(userId="me", id=wanted[str(index)], format="metadata", metadataHeaders=["Subject"]),
            request_id=str(index),
        )
    batch.execute()
    assert len(answers) == 23 and len(errors) == 2, (len(answers), errors)
    for request_id, answer in answers.items():
        assert answer["id"] == wanted[request_id]
    for error in errors.values():
        assert error.status_code == 429 and error.resp["retry-after"] == "1", error


@check
def events_are_expanded_and_ordered(standins):
    calendar = service(standins.addresses["google"], "calendar", "v3", credentials(standins.addresses["google"]))
    listed = calendar.calendarList().list().execute()["items"]
    assert [item["id"] for item in listed if item.get("primary")] == ["maya@example.com"], listed
    day = datetime.datetime.now(datetime.timezone.utc).date()
    window = {
        "timeMin": f"{day}T00:00:00Z",
        "timeMax": f"{day + datetime.timedelta(days=7)}T00:00:00Z",
    }
    events = calendar.events().list(calendarId="primary", singleEvents=True, orderBy="startTime", **window).execute()
    names = [event["summary"] for event in events["items"]]
    # Five daily stand-ups less the one that is left out; two events that overlap on the first day.
    assert names.count("Stand-up") == 4 and len(names) == 10, names
    assert names[1:3] == ["Harbour office: final numbers", "Lamp prototype with Priya"], names
    fair = next(event for event in events["items"] if event["summary"] == "Trade fair, Hamburg")
    assert set(fair["start"]) == {"date"}, fair
    series = calendar.events().list(calendarId="primary", **window).execute()["items"]
    assert [event["recurrence"][0] for event in series if "recurrence" in event] == ["RRULE:FREQ=DAILY;COUNT=5"]
    one = calendar.events().get(calendarId="primary", eventId=events["items"][0]["id"]).execute()
    assert one["recurringEventId"] in {event["id"] for event in series}
    refused(lambda: calendar.events().list(calendarId="primary", orderBy="startTime").execute(), 400)
    refused(lambda: calendar.events().list(calendarId="nobody@example.com").execute(), 404)


@check
def busy_times_are_merged(standins):
    calendar = service(standins.addresses["google"], "calendar", "v3", credentials(standins.addresses["google"]))
    day = datetime.datetime.now(datetime.timezone.utc).date()
    answer = calendar.freebusy().query(body={
        "timeMin": f"{day}T00:00:00Z",
        "timeMax": f"{day + datetime.timedelta(days=2)}T00:00:00Z",
        "timeZone": "Europe/Berlin",
        "items": [{"id": "primary"}, {"id": "nobody@example.com"}],
    }).execute()
    times = answer["calendars"]["primary"]["busy"]
    # The sample begins today or, once its first meetings of today would be over, tomorrow.
    first = times[0]["start"][:10]
    busy = [(time["start"][11:16], time["end"][11:16]) for time in times if time["start"][:10] == first]
    assert busy == [("09:00", "09:15"), ("09:30", "11:00")], busy
    assert answer["calendars"]["nobody@example.com"]["errors"][0]["reason"] == "notFound"


@check
def a_grant_that_does_not_suffice_is_refused(standins):
    narrow = credentials(standins.addresses["google"], refresh_token=standins.addresses["google"]["narrow_refresh_token"])
    gmail = service(standins.addresses["google"], "gmail", "v1", narrow)
    found = gmail.users().messages().list(userId="me").execute()["messages"]
    refused(lambda: gmail.users().messages().get(userId="me", id=found[0]["id"], format="full").execute(), 403)
    calendar = service(standins.addresses["google"], "calendar", "v3", narrow)
    error = refused(lambda: calendar.calendarList().list().execute(), 403)
    details = json.loads(error.content)["error"]["details"]
    assert details[0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT", details


@check
def faults_are_met_as_google_words_them(standins):
    gmail = service(standins.addresses["google"], "gmail", "v1", credentials(standins.addresses["google"]))
    standins.fail("google", "gmail.messages.list", {"status": {"status": 429}})
    error = refused(lambda: gmail.users().messages().list(userId="me").execute(), 429)
    assert error.error_details[0]["reason"] == "rateLimitExceeded", error.error_details
    # The client's own retries: twice a failure of the server, then the answer.
    standins.fail("google", "gmail.messages.list", {"status": {"status": 503}}, times=2)
    request = gmail.users().messages().list(userId="me")
    request._sleep = lambda seconds: None
    assert len(request.execute(num_retries=2)["messages"]) == 7
    refused(lambda: gmail.users().messages().get(userId="me", id="0").execute(), 404)


@check
def a_wrong_secret_and_a_dead_grant_are_told(standins):
    for creds, words in [
        (credentials(standins.addresses["google"], secret="wrong"), "invalid_client"),
        (credentials(standins.addresses["google"], refresh_token="1//unknown"), "invalid_grant"),
    ]:
        try:
            service(standins.addresses["google"], "gmail", "v1", creds).users().getProfile(userId="me").execute()
        except RefreshError as error:
            assert words in str(error), error
        else:
            raise AssertionError("not refused")
    creds = credentials(standins.addresses["google"])
    gmail = service(standins.addresses["google"], "gmail", "v1", creds)
    gmail.users().getProfile(userId="me").execute()
    standins.tell(revoke_grant={"service": "google"})
    try:
        gmail.users().getProfile(userId="me").execute()
    except RefreshError as error:
        assert "invalid_grant" in str(error), error
    else:
        raise AssertionError("not refused")


def seen(_standins, log):
    lines = [json.loads(line) for line in open(log, encoding="utf-8")]
    bearers = {line["bearer"] for line in lines if line["bearer"]}
    assert bearers, "no access token was seen"
    return f"; {len(lines)} calls logged, {len(bearers)} access tokens seen"


if __name__ == "__main__":
    peers.main(CHECKS, seen)
