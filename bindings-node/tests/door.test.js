"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { inspect } = require("node:util");
const { Host, NbhdError, Secret } = require("..");

test("a wrong address is a clear error", () => {
  assert.throws(
    () => new Host("nowhere:"),
    (error) => error instanceof NbhdError && error.code === "invalid_config" && error.outcome === "not_sent",
  );
});

test("a secret shows nothing", () => {
  const secret = new Secret("canary-0123456789");
  assert.ok(!inspect(secret, { depth: 9, showHidden: true }).includes("canary"));
  assert.ok(!JSON.stringify(secret).includes("canary"));
});

test("what a scan does not know, it refuses", async () => {
  const { store } = new Host("memory:");
  for (const options of [{ upto: 1 }, { limit: -1 }, { limit: 1.5 }]) {
    await assert.rejects(store.scan("orders", options), { code: "invalid_input" });
  }
  assert.deepEqual(await store.scan("orders", { upTo: 2 ** 40, limit: undefined }), []);
});

test("the private network is what the program trusts", async () => {
  assert.throws(() => new Host("memory:", { privateHosts: ["*"] }), { code: "invalid_config" });
  assert.deepEqual(new Host("memory:").privateHosts, []);
  const host = new Host("memory:", { privateHosts: ["*.Corp.example", "10.1.2.3:8443"] });
  assert.deepEqual(host.privateHosts, ["*.corp.example", "10.1.2.3:8443"]);
  await assert.rejects(host.secureRequest({ url: "https://10.1.2.3/" }, { hosts: ["10.1.2.3"] }), { code: "address_denied" });
});
