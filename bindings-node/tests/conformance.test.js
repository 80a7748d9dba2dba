// The Node runner of conformance/cases: every case through the public API, counted when it ran and asserted. What works on
// the store is played on each of the four.
"use strict";

const assert = require("node:assert/strict");
const { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { dirname, join } = require("node:path");
const { after, before, test } = require("node:test");
const { AlertGate, Credential, Google, Host, Limits, NbhdError, Queue, Router, Secret, StateGate, Telegram, testkit, validateBrief } = require("..");
const { listenerExposure, parametersHash, redact, resolveWindow } = require("..");
const { ALWAYS, postgresServer, redisServer } = require("./servers.js");

const folder = join(__dirname, "../../conformance/cases");
const files = readdirSync(folder).filter((name) => name.endsWith(".json")).sort();
const keyFile = join(mkdtempSync(join(tmpdir(), "nbhd-conformance-")), "key");
writeFileSync(keyFile, "sk-conformance-0123456789", { mode: 0o600 });

const cases = files.flatMap((name) => {
  const file = JSON.parse(readFileSync(join(folder, name), "utf8"));
  return file.cases.map((one) => {
    const begin = one.given === undefined ? {} : file.given[one.given];
    return {
      clock: "2026-11-21T08:00:00Z",
      config: file.config,
      ...one,
      operation: file.operation,
      setup: [...(begin.setup ?? []), ...(one.setup ?? [])],
      http: [...(begin.http ?? []), ...(one.http ?? [])],
    };
  });
});

// The rooms whose operations work on the store, and the addresses of fresh stores; NBHD_STORES names fewer.
const rooms = ["alert", "google", "inbox", "limit", "outbox", "queue", "state", "store"];
const isStored = (one) => rooms.includes(one.operation.split(".")[0]);
const servers = {};
const stores = {
  memory: () => "memory:",
  sqlite: (number) => `sqlite:${join(dirname(keyFile), `case-${number}.db`)}`,
  redis: (number) => `${servers.redis.address}?namespace=case${number}`,
  postgres: (number) => `${servers.postgres.address}?schema=case${number}`,
};

const kinds = (process.env.NBHD_STORES ?? "memory sqlite redis postgres").split(" ");

before(async () => {
  servers.redis = await redisServer(ALWAYS);
  servers.postgres = await postgresServer();
});

// The keys of these are the user's: no language renames them.
const maps = new Set(["parameters", "arguments", "metadata", "schema", "headers", "data", "calendars", "details", "payload", "limits", "json", "query", "form"]);
const camel = (name) => name.replace(/(?<=.)_+(.)/g, (_, letter) => letter.toUpperCase());
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function renamed(value, rename) {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  if (value === null || typeof value !== "object" || Buffer.isBuffer(value)) return value;
  const entry = ([name, field]) => [rename(name), maps.has(name) ? field : renamed(field, rename)];
  return Object.fromEntries(Object.entries(value).map(entry));
}

/** One program around a case. */
class Stage {
  constructor(one, server, store) {
    this.server = server.replace(/\/$/, "");
    this.clock = new testkit.Clock(one.clock);
    const vaultKey = new Secret("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    this.host = new Host(store, { vaultKey, clock: this.clock });
    const at = (path) => `${this.server}/${path}`;
    const endpoints = { authorize: at("authorize"), token: at("token"), revoke: at("revoke"), gmail: at(""), calendar: at("") };
    const clientSecret = new Secret("GOCSPX-conformance-0123456789");
    this.account = new Google(this.host, { clientId: "conformance-client", clientSecret, endpoints }).account("tenant-42");
    this.telegram = new Telegram(this.host, {
      botToken: new Secret("123456:conformance-0123456789"),
      webhookSecret: new Secret("conformance-webhook"),
      baseUrl: this.server,
      username: "conformance_bot",
    });
    this.config = one.config;
    this.local = new Limits(this.host, { local: true });
  }

  fill(value) {
    return JSON.parse(JSON.stringify(value).replaceAll("{{server}}", this.server).replaceAll("{{key_file}}", keyFile));
  }

  async call(operation, input, signal) {
    const given = renamed(this.fill(input), camel);
    const { account } = this;
    const claimed = async (end) => end(await this.host.inbox.claim());
    switch (operation) {
      case "google.connect": return account.connect(new Secret(given.refreshToken), given);
      case "google.disconnect": return account.disconnect();
      case "google.status": return account.status();
      case "google.access_token": {
        const access = await account.accessToken();
        return { token: access.reveal(), scopes: access.scopes, expiresAt: access.expiresAt, receipt: access.receipt };
      }
      case "gmail.list_messages": return page(await account.gmail.listMessages(given));
      case "gmail.get_message": return account.gmail.getMessage(given.id);
      case "calendar.list_events": return page(await account.calendar.listEvents(given));
      case "calendar.free_busy": return account.calendar.freeBusy(given);
      case "router.chat": return this.router().chat(...chat(given));
      case "router.explain": return this.router().explain(...chat(given));
      case "router.stream": return told(await collected(this.router().stream(...chat(given))));
      case "telegram.send": {
        const { conversation, ...message } = given;
        return this.telegram.send(conversation, signal ? { ...message, signal } : message);
      }
      case "telegram.edit": {
        const { messageId, conversation, ...message } = given;
        return this.telegram.edit(messageId, conversation, message);
      }
      case "telegram.typing": return this.telegram.typing(given.conversation);
      case "telegram.receive": {
        const body = typeof input.body === "string" ? input.body : JSON.stringify(input.body);
        return this.telegram.receive(input.headers, Buffer.from(body.repeat(input.times ?? 1)));
      }
      case "host.secure_request": {
        const { request, credentials = [], ...options } = given;
        return this.host.secureRequest(request, { ...options, credentials: credentials.map(credential) });
      }
      case "host.force_open": return this.host.forceOpen(given.url, given.reason);
      case "host.breakers": return this.host.breakers();
      case "inbox.accept": return this.host.inbox.accept(given);
      case "inbox.pending": return this.host.inbox.pending();
      case "inbox.claim": return claimed((work) => work?.event ?? null);
      case "inbox.done": return claimed((work) => work.done());
      case "inbox.commit_with": return claimed((work) => work.commitWith(given.sends, given.writes));
      case "inbox.fail": return claimed((work) => work.fail(given.reason));
      case "inbox.dead_letters": return this.host.inbox.deadLetters();
      case "inbox.revive": return this.host.inbox.revive(await this.dead(given.id));
      case "inbox.forget_dead": return this.host.inbox.forgetDead(await this.dead(given.id));
      case "inbox.ingest": {
        const { body, ...origin } = given;
        return this.host.inbox.ingest(origin, typeof body === "string" ? body : JSON.stringify(input.body));
      }
      case "outbox.plan": return this.host.outbox.plan(given);
      case "outbox.get": return this.host.outbox.get(given.channel, given.account, given.key);
      case "outbox.cancel": return this.host.outbox.cancel(given.channel, given.account, given.key);
      case "outbox.retry_refused": return this.host.outbox.retryRefused(given.channel, given.account, given.key);
      case "outbox.prove_sent": {
        return this.host.outbox.proveSent(given.channel, given.account, given.key, given.index, input.result);
      }
      case "outbox.undelivered": return this.host.outbox.undelivered(given.limit);
      case "outbox.expire": return this.host.outbox.expire(given.limit);
      case "store.get": return this.host.store.get(given.key);
      case "store.sum": return this.host.store.sum(given.key);
      case "store.scan": {
        const { index, ...options } = given;
        return this.host.store.scan(index, options);
      }
      case "limit.take": return (given.local ? this.local : new Limits(this.host)).take(given.limits);
      case "alert.begin": case "alert.sent": case "alert.failed":
        return ticket(operation, await new AlertGate(this.host).begin(given.check, given.recipient));
      case "state.begin": case "state.sent": case "state.failed":
        return ticket(operation, await new StateGate(this.host).begin(given.name, input.state));
      case "queue.dispatch": {
        const { caller, ...job } = given;
        return this.queue().dispatch(caller, job);
      }
      case "queue.list": {
        const { caller, ...filter } = given;
        return this.queue().list(caller, filter);
      }
      case "queue.activity": return this.queue().activity(given.caller);
      case "queue.dead_letters": return this.queue().deadLetters(given.caller);
      case "queue.claim": return this.job(given, (work) => work?.job ?? null);
      case "queue.complete": return this.job(given, (work) => work.complete(given.result));
      case "queue.fail": return this.job(given, (work) => work.fail(given.reason));
      case "queue.give_up": return this.job(given, (work) => work.giveUp(given.reason));
      case "brief.validate": return validateBrief(given.answer, given.references);
      case "window.resolve": {
        const { window, ...seen } = given;
        return resolveWindow(window, seen);
      }
      case "secret.redact": return redact(given.text, given.limit);
      case "vault.open": {
        const { sealed, ...place } = given;
        return this.host.vault.open(sealed, place);
      }
      case "listener.exposure": return listenerExposure(given.address);
      case "audit.parameters_hash": return parametersHash(given.parameters);
      default: throw new Error(`${operation} is not known here`);
    }
  }

  /** The id that is given, or that of the first dead letter. */
  async dead(id) {
    return id ?? (await this.host.inbox.deadLetters())[0].event.id;
  }

  queue() {
    return new Queue(this.host, renamed(this.fill(this.config), camel));
  }

  async job(given, end) {
    return end(await this.queue().worker(given.target, "w1").claim());
  }

  router() {
    return new Router(this.host, this.fill(this.config));
  }
}

function credential({ origin, secret, in: place, prefix, ...names }) {
  return Credential[place](origin, ...Object.values(names), new Secret(secret), ...(prefix ? [{ prefix }] : []));
}

async function ticket(operation, granted) {
  if (operation.endsWith(".begin")) return granted ? true : null;
  return operation.endsWith(".sent") ? granted.sent() : granted.failed();
}

const page = (items) => ({ items: [...items], nextPageToken: items.nextPageToken, receipt: items.receipt });
const chat = ({ messages, ...options }) => [messages, options];

async function collected(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

function told(events) {
  const kinds = events.map((event) => event.type);
  const answer = events.find((event) => event.type === "finished")?.answer;
  return {
    events: kinds.filter((kind, at) => kind !== kinds[at - 1]),
    text: events.filter((event) => event.type === "text").map((event) => event.text).join(""),
    toolCalls: events.filter((event) => event.type === "tool_call"),
    answer,
    receipt: answer?.receipt,
  };
}

/** What a case came to, its receipt, and what was wrong on the way. */
async function play(one, store = "memory:") {
  const script = new testkit.Script(one.http);
  const stage = new Stage(one, script.url, store);
  await stage.host.createStore();
  const call = async (operation, input) => {
    try {
      return { ok: renamed((await stage.call(operation, input)) ?? null, snake) };
    } catch (error) {
      if (!(error instanceof NbhdError)) throw error;
      return { error: renamed({ ...error, message: error.message }, snake) };
    }
  };
  const problems = [];
  for (const step of one.setup) {
    if (step.advance !== undefined) {
      stage.clock.advance(step.advance);
      continue;
    }
    if (step.abandoned) {
      const caller = new AbortController();
      let ended = false;
      const begun = stage.call(step.operation, step.input, caller.signal).catch(() => {}).finally(() => (ended = true));
      while (script.finish().length > 0 && !ended) await new Promise(setImmediate);
      if (ended) problems.push(`setup: ${step.operation} was not abandoned`);
      caller.abort();
      await begun;
      continue;
    }
    const came = await call(step.operation, step.input);
    if (came.error?.code !== step.error) problems.push(`setup: ${step.operation} came to ${JSON.stringify(came)}`);
  }
  const came = await call(one.operation, one.input);
  const receipt = renamed(stage.host.receipts(), snake).at(-1);
  const carried = (came.error ?? came.ok)?.receipt;
  if (carried) {
    const found = [];
    differences("receipt of the call", carried, receipt, found);
    problems.push(...found);
  }
  misspeltTimes("expect", came, problems);
  misspeltTimes("receipts", stage.host.receipts(), problems);
  await stage.host.close();
  return { came, receipt, problems: [...problems, ...script.finish()] };
}

// RFC 3339, `Z` for UTC, a fraction only where it is not zero, of microseconds at most.
const aTime = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
const right = /^.{10}T.{8}(\.(?!0+[Z+-])\d{1,6})?(Z|[+-](?!00:00)\d\d:\d\d)$/;

function misspeltTimes(place, value, found) {
  if (typeof value === "string" && aTime.test(value) && !right.test(value)) {
    found.push(`${place}: ${value} is not how times are spelled`);
  } else if (value !== null && typeof value === "object") {
    for (const [name, item] of Object.entries(value)) misspeltTimes(`${place}.${name}`, item, found);
  }
}

test("one spelling of times passes", () => {
  const misspelt = (time) => {
    const found = [];
    misspeltTimes("", `2026-11-21T${time}`, found);
    return found.length > 0;
  };
  const good = ["08:00:00Z", "08:00:00.250Z", "08:00:00.000001Z", "09:00:00+01:00", "09:00:00-10:00", "14:00:00"];
  const bad = ["08:00:00+00:00", "08:00:00-00:00", "08:00:00.000000Z", "08:00:00.123456789Z", "08:00:00z"];
  assert.deepEqual(good.filter(misspelt), []);
  assert.deepEqual(bad.filter((time) => !misspelt(time)), []);
});

function differences(place, expected, got, found) {
  if (expected === "*") {
    if (got === null || got === undefined) found.push(`${place}: nothing is there`);
  } else if (Array.isArray(expected) && Array.isArray(got) && expected.length === got.length) {
    expected.forEach((item, at) => differences(`${place}[${at}]`, item, got[at], found));
  } else if (isObject(expected) && isObject(got)) {
    for (const [name, value] of Object.entries(expected)) differences(`${place}.${name}`, value, got[name], found);
  } else if (expected !== (got ?? null)) {
    found.push(`${place}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`);
  }
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

function judge({ came, receipt, problems }, expect, left) {
  const found = [...problems];
  differences("expect", expect, came, found);
  if (left) differences("receipt", left, receipt, found);
  return found;
}

/** The same expectation with its first plain value altered. */
function altered(expect) {
  const changed = structuredClone(expect);
  const alter = (holder) =>
    Object.keys(holder).some((name) => {
      const value = holder[name];
      if (value !== null && typeof value === "object" && Object.keys(value).length > 0) return alter(value);
      if (value === "*") return false;
      holder[name] = "altered";
      return true;
    });
  alter(changed);
  return changed;
}

// How many cases held, all on the first store and those that work on the store on each.
const held = {};
let number = 0;
for (const one of cases) {
  for (const kind of isStored(one) ? kinds : kinds.slice(0, 1)) {
    test(`${one.operation}: ${one.name}, ${kind}`, async () => {
      const played = await play(one, stores[kind]((number += 1)));
      assert.deepEqual(judge(played, one.expect, one.receipt), []);
      assert.notDeepEqual(judge(played, altered(one.expect)), [], "it asserts nothing");
      const counted = [...(kind === kinds[0] ? ["conformance node"] : []), ...(isStored(one) ? [`contract node ${kind}`] : [])];
      for (const what of counted) held[what] = (held[what] ?? 0) + 1;
    });
  }
}

test("an altered expectation fails", async () => {
  for (const wanted of ["ok", "error"]) {
    const one = cases.find((candidate) => wanted in candidate.expect);
    const played = await play(one);
    assert.deepEqual(judge(played, one.expect), []);
    assert.equal(judge(played, altered(one.expect)).length, 1);
  }
  const one = cases.find((candidate) => candidate.receipt);
  const played = await play(one);
  assert.deepEqual(judge(played, one.expect, one.receipt), []);
  assert.equal(judge(played, one.expect, altered(one.receipt)).length, 1);
  const unasked = { ...one, http: [...one.http, { expect: { method: "GET", path: "/never" }, reply: {} }] };
  assert.equal(judge(await play(unasked), one.expect).length, 1);
});

after(async () => {
  for (const server of Object.values(servers)) await server.stop();
  rmSync(dirname(keyFile), { recursive: true });
  for (const [what, count] of Object.entries(held)) console.log(`${what} ${count}`);
});
