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
