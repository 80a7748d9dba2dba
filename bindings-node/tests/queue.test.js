// The queue as a Node program uses it; what it promises is in the conformance cases and in the core's own tests.
"use strict";

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { Host, Queue, testkit } = require("..");

const PACKAGE = path.join(__dirname, "..");

test("the program of the guide runs", () => {
  const program = fs.readFileSync(path.join(PACKAGE, "..", "examples", "node", "jobs.js"), "utf8");
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nbhd-jobs-"));
  try {
    fs.mkdirSync(path.join(folder, "node_modules"));
    fs.symlinkSync(PACKAGE, path.join(folder, "node_modules", "nbhd"));
    fs.writeFileSync(path.join(folder, "jobs.js"), program);
    const printed = execFileSync(process.execPath, ["jobs.js"], { cwd: folder, encoding: "utf8", timeout: 300_000 });
    const lines = printed.trimEnd().split("\n");
    assert.match(lines[0], /^policy_denied: `visitor` is not a caller/);
    assert.deepEqual(lines.slice(1, 3), ["It rains.", "idle"]);
    assert.equal(lines.at(-1), "Error: internal: there is no such poem");
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

test("rules are checked, and the names in their maps are the user's", async () => {
  const clock = new testkit.Clock("2026-11-21T08:00:00Z");
  const host = new Host("memory:", { clock });
  assert.throws(() => new Queue(host, { target: [] }), { code: "invalid_input" });
  const queue = new Queue(host, { targets: ["a_b"], callers: { my_caller: { targets: ["a_b"], seesAll: true } } });
  const job = await queue.dispatch("my_caller", { target: "a_b", task: "x", metadata: { user_key: 1 } });
  const view = await queue.status("my_caller", job.id);
  assert.deepEqual([view.status, view.metadata], ["queued", { user_key: 1 }]);
  const activity = await queue.activity("my_caller");
  assert.deepEqual([activity.targets["a_b"].pending, activity.summary.completedTotal], [1, 0]);
  assert.equal(host.clockAhead(), null);
});
