"use strict";

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const { once } = require("node:events");
const http = require("node:http");
const path = require("node:path");
const { test } = require("node:test");
const { Worker } = require("node:worker_threads");
const { Host, NbhdError, Router, testkit } = require("..");

process.env.NBHD_TEST_KEY = "sk-test";
const CALL = { purpose: "general", scopes: ["tenant:42"] };

function router(host, base_url) {
  return new Router(host, {
    provider: { openai: { base_url, api_key: { env: "NBHD_TEST_KEY" } } },
    purpose: { general: { chain: ["openai/gpt-4o-mini"], scopes: ["tenant"] } },
    budget: { tenant: { day: "1.00 USD" } },
  });
}

// A server that takes a request, never answers, and notices when its caller goes away.
async function silent() {
  const server = http.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, url: `http://127.0.0.1:${server.address().port}/v1` };
}

test("a signal aborts the request", async () => {
  const { server, url } = await silent();
  const host = new Host("memory:");
  const abort = new AbortController();
  const asked = once(server, "request");
  const answer = router(host, url).chat("hello", { ...CALL, signal: abort.signal });
  const [request] = await asked;
  const gone = once(request.socket, "close");
  abort.abort();
  await assert.rejects(answer, (error) => error.name === "AbortError" && error.code === "ABORT_ERR");
  await gone;
  assert.deepEqual(host.receipts().map((receipt) => receipt.outcome), ["cancelled"]);
  server.close();
});

test("a signal that is aborted already sends nothing", async () => {
  const models = new testkit.Models();
  const signal = AbortSignal.abort();
  const call = router(new Host("memory:"), models.baseUrl("openai")).chat("hello", { ...CALL, signal });
  await assert.rejects(call, { name: "AbortError" });
  assert.equal(models.calls("*"), 0);
});

test("a timeout signal aborts a stream", async () => {
  const models = new testkit.Models();
  models.fail("llm.chat", { kind: "hang" });
  const stream = router(new Host("memory:"), models.baseUrl("openai")).stream("hello", {
    ...CALL,
    signal: AbortSignal.timeout(200),
  });
  await assert.rejects(async () => {
    for await (const event of stream) assert.fail(event.type);
  }, { name: "AbortError" });
});

test("many calls run at once", async () => {
  const models = new testkit.Models();
  const one = router(new Host("memory:"), models.baseUrl("openai"));
  const ask = (_, number) => one.chat(`question ${number}`, { ...CALL, outputCap: 100 });
  const answers = await Promise.all(Array.from({ length: 50 }, ask));
  assert.equal(answers.length, 50);
  const [day] = await one.remaining(["tenant:42"]);
  assert.deepEqual([day.settled, day.held], [models.bill().nanoUsd, 0]);
});

test("an idle binding lets the process end", () => {
  const program = `
    const { Host, testkit } = require(${JSON.stringify(path.join(__dirname, ".."))});
    const google = new testkit.Google();
    const account = google.client(new Host("memory:")).account("a");
    account.gmail.listMessages().then((page) => console.log("read", page.length));`;
  const ran = spawnSync(process.execPath, ["-e", program], { encoding: "utf8", timeout: 300_000 });
  assert.deepEqual([ran.status, ran.stdout, ran.stderr], [0, "read 0\n", ""]);
});

test("a worker thread has errors of its own class", async () => {
  const program = `
    const { parentPort } = require("node:worker_threads");
    const { Host, NbhdError, testkit } = require(${JSON.stringify(path.join(__dirname, ".."))});
    const account = new testkit.Google().client(new Host("memory:")).account("a");
    account.gmail.getMessage("none").catch((error) => parentPort.postMessage([error instanceof NbhdError, error.code]));`;
  const worker = new Worker(program, { eval: true });
  const exited = once(worker, "exit");
  const [answer] = await once(worker, "message");
  assert.deepEqual(answer, [true, "not_found"]);
  const [status] = await exited;
  assert.equal(status, 0);
});

test("loaded twice, both work; errors are told by name and code, and are of the class that was loaded last", async () => {
  const door = require.resolve("..");
  const before = require.cache[door];
  delete require.cache[door];
  const second = require("..");
  try {
    assert.notEqual(second.NbhdError, NbhdError);
    for (const kit of [{ Host, testkit }, second]) {
      const account = new kit.testkit.Google().client(new kit.Host("memory:")).account("a");
      await assert.rejects(account.gmail.getMessage("none"), (error) => error.name === "NbhdError" && error.code === "not_found");
    }
  } finally {
    require.cache[door] = before;
  }
});
