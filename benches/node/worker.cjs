// Measures one Node client: `worker.cjs <nbhd|openai|fetch|plain> <address> <full|quick>`, with the clients' folder in
// NODE_PATH. Each line on its input is one round; each line of its output that round's figures. Times in microseconds.
"use strict";

const { join } = require("node:path");
const readline = require("node:readline");

const MODEL = "gpt-4o-mini";
const CHUNKS = 1000;
const FLIGHT = 64;
const MESSAGES = [
  { role: "system", content: "You are brief." },
  { role: "user", content: "What needs my attention today?" },
];

const now = () => Number(process.hrtime.bigint()) / 1e3;

function median(times) {
  times.sort((a, b) => a - b);
  return times[Math.floor((times.length - 1) / 2)];
}

/** The median time of `work`, after one call that finds everything cold. */
async function timed(times, work) {
  await work();
  const taken = [];
  for (let i = 0; i < times; i++) {
    const began = now();
    await work();
    taken.push(now() - began);
  }
  return median(taken);
}

/** The mean time of something short, as the median of batches. */
function batched(batches, size, work) {
  const taken = [];
  for (let i = 0; i < batches; i++) {
    const began = now();
    for (let j = 0; j < size; j++) work();
    taken.push((now() - began) / size);
  }
  return median(taken);
}

/** Calls a second with 64 in flight. */
async function inFlight(total, work) {
  let left = total;
  const lane = async () => {
    while (left-- > 0) await work();
  };
  const began = now();
  await Promise.all(Array.from({ length: FLIGHT }, lane));
  return (total / (now() - began)) * 1e6;
}

function words(count) {
  if (count < CHUNKS) throw new Error(`a streamed answer came short: ${count} chunks`);
}

/** The version of an installed package; its own door may not show it. */
const version = (name) => require(join(process.env.NODE_PATH, name, "package.json")).version;

/** Our router, budget and ledger on. */
function nbhd(address) {
  const { Google, Host, Router, Secret, testkit } = require("nbhd");
  const key = Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString("base64");
  const host = new Host("memory:", { vaultKey: new Secret(key) });
  const router = new Router(host, {
    provider: { openai: { api_key: { env: "NBHD_BENCH_KEY" }, base_url: `${address}/v1` } },
    purpose: { general: { chain: [`openai/${MODEL}`], scopes: ["tenant"] } },
    budget: { tenant: { day: "1000000 USD" } },
  });
  const root = `${address}/`;
  const endpoints = { token: `${address}/token`, revoke: `${address}/revoke`, gmail: root, calendar: root };
  const google = new Google(host, { clientId: "bench", clientSecret: "bench", endpoints });
  let accounts = 0;
  /** A fresh account: Google's quota of 6,000 units a minute and user, which the library keeps to, ends a longer run
   * over one. */
  const mailbox = async () => {
    const account = google.account(`bench-${++accounts}`);
    await account.connect("bench-refresh");
    await account.gmail.getMessage("note");
    return account.gmail;
  };
  const options = { scopes: ["tenant:42"] };
  return {
    version: version("nbhd"),
    call: async () => (await router.chat(MESSAGES, options)).text,
    stream: async () => {
      let count = 0;
      for await (const event of router.stream(MESSAGES, options)) count += event.type === "text";
      words(count);
    },
    async more(quick) {
      const [batches, size] = quick ? [5, 200] : [20, 2000];
      const clock = new testkit.Clock("2026-11-21T12:00:00Z");
      const { inbox } = host;
      const pending = () => inbox.pending();
      const empty = () => null;
      const thousand = () => Promise.all(Array.from({ length: 1000 }, pending));
      const whole = [];
      const note = [];
      let message;
      for (let batch = 0; batch < (quick ? 1 : 10); batch++) {
        const gmail = await mailbox();
        for (let i = 0; i < 50; i++) {
          const began = now();
          message = await gmail.getMessage("mail");
          const between = now();
          await gmail.getMessage("note");
          whole.push(between - began);
          note.push(now() - between);
        }
      }
      if (message.body.text.length < 6000) throw new Error("the sample mail was not read as it was written");
      return {
        "node.border.empty": batched(batches, size, empty),
        "node.border.sync": batched(batches, size, () => clock.now()),
        "node.border.async": await timed(size, pending),
        "node.border.gather": (await timed(quick ? 5 : 20, thousand)) / 1000,
        "node.mail.call": median(whole),
        "node.mail.note": median(note),
      };
    },
  };
}

/** The provider's own package: no routing, no budget. */
function openai(address) {
  const { OpenAI } = require("openai");
  const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: "bench-key", maxRetries: 0 });
  return {
    version: version("openai"),
    call: async () =>
      (await client.chat.completions.create({ model: MODEL, messages: MESSAGES })).choices[0].message.content,
    stream: async () => {
      const answer = await client.chat.completions.create({
        model: MODEL,
        messages: MESSAGES,
        stream: true,
        stream_options: { include_usage: true },
      });
      let count = 0;
      for await (const chunk of answer) count += Boolean(chunk.choices[0]?.delta.content);
      words(count);
    },
  };
}

/** Node's own fetch and JSON: what a careful programmer writes by hand. */
function byHand(address) {
  const ask = (stream) =>
    fetch(`${address}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer bench-key" },
      body: JSON.stringify({ model: MODEL, messages: MESSAGES, stream }),
    });
  return {
    version: process.version,
    call: async () => (await (await ask(false)).json()).choices[0].message.content,
    stream: async () => {
      let held = "";
      let count = 0;
      const decoder = new TextDecoder();
      for await (const piece of (await ask(true)).body) {
        held += decoder.decode(piece, { stream: true });
        const lines = held.split("\n");
        held = lines.pop();
        for (const line of lines) {
          if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
          count += Boolean(JSON.parse(line.slice(6)).choices[0]?.delta.content);
        }
      }
      words(count);
    },
  };
}

/** A plain walk over the same message. */
function plain(address) {
  let json;
  const read = () => {
    const message = JSON.parse(json);
    const headers = Object.fromEntries(message.payload.headers.map((field) => [field.name.toLowerCase(), field.value]));
    const card = {
      id: message.id,
      subject: headers.subject,
      from: headers.from,
      to: headers.to?.split(","),
      date: new Date(headers.date),
    };
    const bodies = {};
    const walk = (part) => {
      if (part.body.data && part.mimeType.startsWith("text/")) {
        bodies[part.mimeType] ??= Buffer.from(part.body.data, "base64url").toString("utf8");
      }
      for (const child of part.parts ?? []) walk(child);
    };
    walk(message.payload);
    return [card, bodies];
  };
  return {
    version: process.version,
    open: async () => {
      json = await (await fetch(`${address}/gmail/v1/users/me/messages/mail`)).text();
    },
    read,
  };
}

const SCALES = {
  nbhd: { full: [1000, 4000, 10], quick: [100, 500, 3] },
  openai: { full: [200, 600, 6], quick: [50, 200, 2] },
  fetch: { full: [200, 600, 6], quick: [50, 200, 2] },
};

async function main() {
  const [name, address, scale] = process.argv.slice(2);
  process.env.NBHD_BENCH_KEY = "bench-key";
  const client = { nbhd, openai, fetch: byHand, plain }[name](address);
  await client.open?.();
  console.log(JSON.stringify({ ready: `${name} ${client.version}` }));
  for await (const _line of readline.createInterface({ input: process.stdin })) {
    const figures = {};
    if (name === "plain") {
      figures["node.mail.walk"] = await timed(scale === "quick" ? 50 : 500, async () => client.read());
    } else {
      const [calls, many, streams] = SCALES[name][scale];
      figures[`node.${name}.async`] = await timed(calls, client.call);
      figures[`node.${name}.rate`] = await inFlight(many, client.call);
      figures[`node.${name}.stream`] = (await timed(streams, client.stream)) / CHUNKS;
      Object.assign(figures, await client.more?.(scale === "quick"));
    }
    console.log(JSON.stringify(figures));
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
