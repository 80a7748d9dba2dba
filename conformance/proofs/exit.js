// A process that ends while calls are in flight: `exit.js <way> <store>`. It prints how much of each kind is in flight, then
// ends in the way of that number. `rejection` and `idle` are defects that the proof plants.
"use strict";

const { Worker, isMainThread } = require("node:worker_threads");
const nbhd = require(process.env.NBHD_NODE);

const world = JSON.parse(process.env.NBHD_PROVE_WORLD);
const [way, store] = process.argv.slice(2);
const botToken = nbhd.Secret.env("NBHD_PROVE_BOT_TOKEN");
const host = new nbhd.Host(`sqlite:${store}`);
const counts = {};
const ignore = () => {};

const telegram = (path) => new nbhd.Telegram(host, { botToken, baseUrl: world.slow + path });
const router = nbhd.Router
  ? new nbhd.Router(host, {
      provider: { openai: { api_key: { env: "NBHD_PROVE_API_KEY" }, base_url: `${world.slow}openai/v1` } },
      purpose: { general: { chain: ["openai/gpt-4o-mini"] } },
      unbudgeted: true,
    })
  : null;

const accept = (n) =>
  host.inbox.accept({ provider: "prove", instance: "exit", dedupe: [`node-${n}`], lane: "x", data: {} });

/** Starts calls that do not end by themselves; each may be aborted. */
async function start(signal) {
  for (let n = 0; n < 3; n += 1) telegram("hang").send("4711", { text: `hangs ${n}`, signal }).catch(ignore);
  telegram("throttled").send("4711", { text: "comes back later", signal }).catch(ignore);
  for (let n = 0; n < 20; n += 1) accept(n).catch(ignore);
  counts["async calls"] = 23;
  counts.timers = 1;
  if (router) {
    counts.streams = 1;
    await new Promise((begun) => {
      (async () => {
        for await (const event of router.stream("hello", { purpose: "general", signal })) begun(event);
      })().catch(begun);
    });
  }
}

const say = () => console.log(`in flight: ${JSON.stringify(counts)}`);

const ways = {
  // At once, from inside.
  0: async () => {
    await start();
    say();
    process.exit(0);
  },
  // The natural end: what was begun is aborted, the rest ends by itself, and nothing else keeps the process.
  1: async () => {
    const controller = new AbortController();
    await start(controller.signal);
    say();
    controller.abort();
  },
  // From a timer, between other calls.
  2: async () => {
    setTimeout(() => {
      say();
      process.exit(0);
    }, 30);
    await start();
  },
  // A worker thread with calls of its own is ended, then the process.
  3: async () => {
    await start();
    const worker = new Worker(__filename, { argv: ["inside", `${store}.worker`] });
    await new Promise((begun) => worker.once("message", begun));
    counts["calls in a worker thread"] = 1;
    say();
    await worker.terminate();
    process.exit(0);
  },
  inside: async () => {
    telegram("hang").send("4711", { text: "in a worker" }).catch(ignore);
    require("node:worker_threads").parentPort.postMessage("begun");
  },
  rejection: async () => {
    await start();
    say();
    telegram("hang").send("", { text: "" }).finally(() => setImmediate(() => process.exit(0)));
  },
  idle: async () => say(),
};

if (!isMainThread && way !== "inside") throw new Error("a worker has one way only");
ways[way]();
