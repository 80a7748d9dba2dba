// Shows everything that JavaScript can show of a program that holds secrets. The proof searches what was printed.
"use strict";

const fs = require("node:fs");
const util = require("node:util");
const v8 = require("node:v8");
const nbhd = require(process.env.NBHD_NODE);

const world = JSON.parse(process.env.NBHD_PROVE_WORLD);
const store = process.env.NBHD_PROVE_STORE;
const variable = (name) => process.env[`NBHD_PROVE_${name}`];
const env = (name) => nbhd.Secret.env(`NBHD_PROVE_${name}`);
const FAULTS = [
  { status: { status: 401 } },
  { status: { status: 403 } },
  { status: { status: 400 } },
  { status: { status: 429, retry_after: 3600 } },
  "garbage",
  "cut",
  "close",
];

async function control(command, asked = {}) {
  const answer = await fetch(world.control + command, { method: "POST", body: JSON.stringify(asked) });
  return answer.json();
}

/** Every way in which a value becomes text or bytes. */
function show(what, value) {
  console.log(what, value);
  console.log(util.inspect(value, { depth: 12, showHidden: true, getters: true }));
  const ways = {
    string: () => String(value),
    json: () => JSON.stringify(value),
    keys: () => Object.entries(Object.getOwnPropertyDescriptors(value)),
    serialized: () => v8.serialize(value).toString("latin1"),
    cloned: () => util.inspect(structuredClone(value), { depth: 12 }),
    primitive: () => `${value}`,
  };
  for (const [name, way] of Object.entries(ways)) {
    try {
      console.log(what, name, way());
    } catch (error) {
      console.log(what, name, "refused:", error.message);
    }
  }
}

/** Makes a call and shows what it answers or throws. */
async function shown(what, call) {
  try {
    const value = await call();
    show(what, value);
    return value;
  } catch (error) {
    show(what, error);
    for (let cause = error; cause; cause = cause.cause) console.error(cause, cause.stack, cause.message);
    return undefined;
  }
}

function sure(value, what) {
  if (value === undefined) throw new Error(`a good call failed: ${what}`);
  return value;
}

async function main() {
  const host = new nbhd.Host(`sqlite:${store}`, { vaultKey: env("VAULT_KEY") });
  const google = new nbhd.Google(host, {
    clientId: world.google.client_id,
    clientSecret: env("CLIENT_SECRET"),
    endpoints: world.google.endpoints,
  });
  const account = google.account("tenant-42");
  const telegram = new nbhd.Telegram(host, {
    botToken: env("BOT_TOKEN"),
    webhookSecret: env("WEBHOOK_SECRET"),
    baseUrl: world.telegram.base_url,
  });
  const router = new nbhd.Router(host, world.router);
  const chat = () => router.chat("What needs my attention?", { purpose: "general", output_cap: 64 });
  const send = (key) => telegram.send("4711", { markdown: "**Done.**", key });
  const messages = () => account.gmail.listMessages({ limit: 3 });
  const events = () => account.calendar.listEvents({ limit: 3 });

  sure(await shown("connection", () => account.connect(env("REFRESH_TOKEN"))), "connect");
  const cards = sure(await shown("messages", messages), "messages");
  sure(await shown("message", () => account.gmail.getMessage(cards[0].id)), "message");
  sure(await shown("events", events), "events");
  await shown("status", () => account.status());
  await shown("access token", () => account.accessToken());
  for (const text of ["What needs my attention?", "And tomorrow?"]) {
    const call = await control("say", { text });
    const reply = sure(await shown("received", () => telegram.receive(call.headers, Buffer.from(call.body))), "receive");
    if (reply.status !== 200) throw new Error("the webhook call was not verified");
    await control("answered", { status: reply.status });
  }
  sure(await shown("probe", () => telegram.probe()), "probe");
  sure(await shown("delivery", () => send("good")), "send");
  sure(await shown("answer", chat), "chat");
  await shown("explained", () => router.explain("Hello", { purpose: "general" }));
  await shown("router status", () => router.status());
  sure(
    await shown("stream", async () => {
      const all = [];
      for await (const event of router.stream("Hello", { purpose: "general", output_cap: 64 })) all.push(event);
      return all;
    }),
    "stream",
  );
  for (const handle of [host, google, account, account.gmail, account.calendar, telegram, router, host.inbox]) {
    show(handle.constructor.name, handle);
  }
  for (const name of ["REFRESH_TOKEN", "CLIENT_SECRET", "API_KEY", "BOT_TOKEN", "WEBHOOK_SECRET", "VAULT_KEY"]) {
    show("secret", env(name));
    show("given secret", new nbhd.Secret(variable(name)));
  }

  for (const [number, fault] of FAULTS.entries()) {
    const fail = (service, label) => control("fail", { service, label, fault, times: 2 });
    await fail("google", "gmail.messages.list");
    await shown("failing messages", messages);
    await control("expire");
    await fail("google", "oauth.token");
    await shown("failing refresh", events);
    await fail("telegram", "telegram.sendMessage");
    await shown("failing delivery", () => send(`failing-${number}`));
    await fail("models", "llm.chat");
    await shown("failing answer", chat);
  }
  const said = await control("say", { text: "forged" });
  const forged = Object.entries(said.headers).map(([name, value]) => [name, /secret/i.test(name) ? "not the secret" : value]);
  const refused = await shown("forged", () => telegram.receive(Object.fromEntries(forged), Buffer.from(said.body)));
  await control("answered", { status: refused.status });

  // Secrets where none may stand.
  await shown("wrong router", () => new nbhd.Router(host, { provider: { openai: { api_key: variable("API_KEY") } }, unbudgeted: true }));
  await shown("wrong option", () => new nbhd.Router(host, { provider: { openai: { key: variable("API_KEY") } } }));
  await shown("wrong scope", () => account.connect(env("REFRESH_TOKEN"), { scopes: variable("REFRESH_TOKEN") }));
  await shown("wrong type", () => account.connect([variable("REFRESH_TOKEN")]));
  await shown("wrong bot", () => new nbhd.Telegram(host, { botToken: `${variable("BOT_TOKEN")} `, baseUrl: `x:${variable("BOT_TOKEN")}` }));

  if (process.argv.includes("node-pickles-token")) {
    const token = (await account.accessToken()).reveal();
    console.log("serialised", v8.serialize({ token }).toString("base64"));
  }
  show("receipts", host.receipts());
  fs.writeFileSync(`${store}.ready`, "");
  while (!fs.existsSync(`${store}.go`)) await new Promise((done) => setTimeout(done, 5));
  await host.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
