"use strict";

// A host whose store is a real Redis server.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Host, NbhdError } = require("..");
const { ALWAYS, redisServer } = require("./servers.js");

const EVENT = { provider: "test", instance: "one", dedupe: ["1"], lane: "lane", data: { text: "hello" } };

async function withRedis(settings, work) {
  const { address, stop } = await redisServer(settings);
  try {
    await work(address);
  } finally {
    await stop();
  }
}

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
