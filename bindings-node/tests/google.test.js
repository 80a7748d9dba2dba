"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const { test } = require("node:test");
const { Google, Host, NbhdError, Secret, testkit } = require("..");

const DATA = path.join(__dirname, "..", "..", "examples", "data");
// The Monday of the sample week, in the morning of Berlin.
const MONDAY = "2026-07-06T05:00:00Z";

function start() {
  const clock = new testkit.Clock(MONDAY);
  const google = new testkit.Google({
    mailbox: path.join(DATA, "sample.mbox"),
    calendar: path.join(DATA, "sample.ics"),
    clock,
  });
  const host = new Host("memory:", { clock });
  return { google, host, account: google.client(host).account("tenant-42") };
}

function endpoints(url) {
  const root = url.replace(/\/$/, "");
  return {
    authorize: `${root}/o/oauth2/v2/auth`,
    token: `${root}/token`,
    revoke: `${root}/revoke`,
    gmail: `${root}/`,
    calendar: `${root}/`,
  };
}

test("a list is a page of cards with its receipt", async () => {
  const { account, host } = start();
  const page = await account.gmail.listMessages({ limit: 3 });
  assert.equal(page.length, 3);
  assert.ok(Array.isArray(page) && page.nextPageToken);
  assert.equal(page.receipt.operation, "gmail.list_messages");
  const rest = await account.gmail.listMessages({ limit: 20, pageToken: page.nextPageToken });
  assert.equal(new Set([...page, ...rest].map((card) => card.id)).size, 7);
  assert.ok([...page, ...rest].every((card) => card.threadId && card.trust === "untrusted"));
  assert.equal(host.receipts().filter((receipt) => receipt.operation === "gmail.list_messages").length, 2);
});

test("a busy mailbox loses nothing", async () => {
  const { google, account } = start();
  google.fail("gmail.messages.get", { status: 429, retryAfter: 1, times: 3 });
  assert.equal((await account.gmail.listMessages({ limit: 20 })).length, 7);
  assert.equal(google.calls("gmail.messages.get"), 10);
});

test("a message has its decoded text", async () => {
  const { account } = start();
  const [card] = await account.gmail.listMessages({ query: "from:sato" });
  const message = await account.gmail.getMessage(card.id);
  assert.equal(message.header.subject, "見本の発送について");
  assert.match(message.body.text, /追跡番号は JP-4471-0932/);
});

test("events of today and busy times", async () => {
  const { account } = start();
  const events = await account.calendar.listEvents({ window: "today", timeZone: "Europe/Berlin" });
  assert.deepEqual(
    events.map((event) => event.title),
    ["Stand-up", "Harbour office: final numbers", "Lamp prototype with Priya"],
  );
  const answer = await account.calendar.freeBusy({
    timeMin: "2026-07-06T00:00:00+02:00",
    timeMax: "2026-07-07T00:00:00+02:00",
    calendars: ["primary", "nobody@example.com"],
    timeZone: "Europe/Berlin",
  });
  const busy = answer.calendars.primary.busy.map((time) => [time.start.slice(11, 16), time.end.slice(11, 16)]);
  assert.deepEqual(busy, [["09:00", "09:15"], ["09:30", "11:00"]]);
  assert.equal(answer.calendars["nobody@example.com"].problems[0].reason, "notFound");
});

test("connecting seals the token and tells the state", async () => {
  const { google, host } = start();
  const client = new Google(host, {
    clientId: google.clientId,
    clientSecret: new Secret(google.clientSecret),
    endpoints: endpoints(google.url),
  });
  const account = client.account("tenant-7");
  assert.equal((await account.status()).state, "not_connected");
  await assert.rejects(account.gmail.listMessages(), (error) => error.code === "not_connected" && error.outcome === "not_sent");
  const connection = await account.connect(new Secret(google.refreshToken));
  assert.equal(connection.state, "active");
  assert.equal((await account.status()).state, "active");
  assert.ok(!JSON.stringify([connection, host.receipts()]).includes(google.refreshToken));
  const before = google.calls("oauth.token");
  google.expireAccessTokens();
  assert.equal((await account.gmail.listMessages({ limit: 1 })).length, 1);
  assert.equal(google.calls("oauth.token"), before + 1);
});

test("a grant that does not suffice is refused before anything is sent", async () => {
  const scope = "https://www.googleapis.com/auth/calendar.readonly";
  const json = { access_token: "ya29.short", expires_in: 3599, token_type: "Bearer", scope };
  const script = new testkit.Script([{ expect: { method: "POST", path: "/token" }, reply: { json } }]);
  const options = { clientId: "id", clientSecret: "secret", endpoints: endpoints(script.url) };
  const account = new Google(new Host("memory:"), options).account("tenant-42");
  await account.connect("1//refresh");
  await assert.rejects(account.gmail.listMessages(), (error) => {
    assert.ok(error instanceof NbhdError);
    assert.deepEqual([error.code, error.outcome], ["insufficient_scope", "not_sent"]);
    assert.match(JSON.stringify(error.details), /gmail\.readonly/);
    return true;
  });
  assert.deepEqual(script.finish(), []);
});

test("an error has every field, and an unknown option is named with those that are known", async () => {
  const { google, account } = start();
  await assert.rejects(account.gmail.listMessages({ limits: 3 }), /unknown field `limits`.*limit/);
  assert.equal(google.calls("*"), 0);
  await assert.rejects(account.gmail.getMessage("doesnotexist"), (error) => {
    assert.deepEqual(
      [error.name, error.code, error.operation, error.outcome, error.providerStatus, error.retryable],
      ["NbhdError", "not_found", "gmail.get_message", "refused", 404, false],
    );
    assert.ok(error.userAction && error.receipt.attempts.length && error.stack.includes("not_found"));
    return true;
  });
});

test("a token has its receipt, and an account is disconnected", async () => {
  const { google, host } = start();
  const client = new Google(host, {
    clientId: google.clientId,
    clientSecret: new Secret(google.clientSecret),
    endpoints: endpoints(google.url),
  });
  const account = client.account("tenant-7");
  await account.connect(new Secret(google.refreshToken));
  const { receipt } = await account.accessToken();
  assert.deepEqual([receipt.operation, receipt.outcome], ["google.access_token", "ok"]);
  assert.deepEqual(host.receipts().at(-1), receipt);
  const ended = await account.disconnect();
  assert.equal(ended.state, "not_connected");
  assert.deepEqual(ended.receipt.attempts.map((attempt) => attempt.label), ["google.revoke"]);
  assert.equal((await account.disconnect()).state, "not_connected");
  await assert.rejects(account.accessToken(), (error) => ["not_connected", "connection_inactive"].includes(error.code));
});
