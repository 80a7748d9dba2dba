"use strict";

// A host whose store is a real Redis server.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { Host, NbhdError } = require("..");

const EVENT = { provider: "test", instance: "one", dedupe: ["1"], lane: "lane", data: { text: "hello" } };

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    socket.once("data", (bytes) => {
      socket.destroy();
      resolve(bytes.toString().startsWith("+PONG"));
    });
    socket.once("error", () => resolve(false));
  });
}

async function withRedis(settings, work) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nbhd-redis-node-"));
  const port = await freePort();
  const server = spawn(
    "redis-server",
    ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", ...settings],
    { stdio: "ignore" },
  );
  const failed = new Promise((_, reject) => {
    server.once("error", () => reject(new Error("install it, on Debian with `apt-get install redis-server`")));
  });
  const ended = new Promise((resolve) => server.once("exit", resolve));
  try {
    const until = Date.now() + 20_000;
    while (!(await Promise.race([answers(port), failed]))) {
      assert.ok(Date.now() < until, "redis-server does not start");
    }
    await work(`redis://127.0.0.1:${port}/0`);
  } finally {
    server.kill("SIGKILL");
    await Promise.race([ended, failed.catch(() => {})]);
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const ALWAYS = ["--appendonly", "yes", "--appendfsync", "always"];

test("an event through Redis", async () => {
  await withRedis(ALWAYS, async (address) => {
    const host = new Host(address);
    await assert.rejects(host.inbox.accept(EVENT), (error) => error instanceof NbhdError && error.code === "store_unavailable");
    await host.createStore();
    await host.createStore();
    assert.equal((await host.inbox.accept(EVENT)).duplicate, false);
    const other = new Host(address);
    assert.equal((await other.inbox.accept(EVENT)).duplicate, true);
    await host.close();
    await other.close();
  });
});

test("a server that may lose is refused unless it is accepted by name", async () => {
  await withRedis([], async (address) => {
    const host = new Host(address);
    await host.createStore();
    await assert.rejects(host.inbox.accept(EVENT), (error) => error.code === "invalid_config" && error.userAction.includes("appendfsync always"));
    const accepted = new Host(address, { lossyStore: "a test that has nothing to lose" });
    assert.equal((await accepted.inbox.accept(EVENT)).duplicate, false);
    await host.close();
    await accepted.close();
  });
});

test("an address is not repeated", async () => {
  assert.throws(
    () => new Host("redis://:canary-0123@host/x"),
    (error) => error.code === "invalid_config" && !String(error).includes("canary"),
  );
  await assert.rejects(
    new Host("redis://:canary-0123@127.0.0.1:1/0").inbox.accept(EVENT),
    (error) => error.code === "store_unavailable" && !String(error).includes("canary"),
  );
});
