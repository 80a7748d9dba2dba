// Tokens in the program's own storage; secrets, vault, audit and runs.
"use strict";

const assert = require("node:assert/strict");
const { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { after, test } = require("node:test");
const { threadId } = require("node:worker_threads");
const nbhd = require("..");
const { Host, NbhdError, Secret, testkit } = nbhd;

const KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const folder = mkdtempSync(join(tmpdir(), "nbhd-tokens-"));
after(() => rmSync(folder, { recursive: true }));

/** A table that notes on which thread it was asked. */
class Rows {
  rows = new Map();
  asked = [];

  load(provider, account) {
    this.asked.push(["load", threadId]);
    return this.rows.get(`${provider}/${account}`) ?? null;
  }

  save(provider, account, record, previous) {
    this.asked.push(["save", threadId]);
    const name = `${provider}/${account}`;
    if ((this.rows.get(name) ?? null) !== previous) return false;
    this.rows.set(name, record);
    return true;
  }
}

class AsyncRows extends Rows {
  async load(...given) {
    await null;
    return super.load(...given);
  }

  async save(...given) {
    await null;
    return super.save(...given);
  }
}

function start(tokens, options = {}) {
  const host = new Host("memory:", { tokens, vaultKey: KEY, ...options });
  return { host, google: new testkit.Google().client(host) };
}

const code = (expected) => (error) => error instanceof NbhdError && error.code === expected;

for (const Kind of [Rows, AsyncRows]) {
  test(`${Kind.name}: the program keeps sealed records and is asked on its thread`, async () => {
    const rows = new Kind();
    const { google } = start(rows);
    const accounts = Array.from({ length: 5 }, (_, at) => google.account(`tenant-${at}`));
    for (const account of accounts) await account.gmail.listMessages({ limit: 1 });
    await Promise.all(accounts.flatMap((account) => Array.from({ length: 10 }, () => account.gmail.listMessages({ limit: 1 }))));
    assert.equal(rows.rows.size, 5);
    for (const record of rows.rows.values()) assert.ok(record.includes("nbhd1.") && !record.includes("ya29"));
    assert.deepEqual([...new Set(rows.asked.map(([, thread]) => thread))], [threadId]);
    assert.equal((await accounts[0].status()).state, "active");
  });
}

test("what a function throws is a failure without its text", async () => {
  const failing = {
    throws: { load() { throw new Error("canary"); }, save: () => true },
    rejects: { load: async () => { throw new Error("canary"); }, save: () => true },
    odd: { load: () => 42, save: () => true },
  };
  for (const [name, tokens] of Object.entries(failing)) {
    const { google } = start(tokens);
    await assert.rejects(google.account("a").status(), (error) => {
      assert.equal(error.code, "store_unavailable", name);
      return !error.message.includes("canary");
    });
  }
});

test("an answer that does not come is a failure", async () => {
  const { google } = start({ load: () => new Promise(() => {}), save: () => true }, { tokensTimeout: 0.05 });
  await assert.rejects(google.account("a").status(), (error) => {
    assert.match(error.message, /within 0.05 s/);
    return error.code === "store_unavailable" && error.outcome === "unknown";
  });
});

test("a function may call nbhd: nothing waits for itself", async () => {
  const states = [];
  const tokens = {
    async load(provider, account) {
      if (account === "outer") states.push((await google.account("inner").status()).state);
      return null;
    },
    save: () => true,
  };
  const { google } = start(tokens);
  assert.equal((await google.account("outer").status()).state, "not_connected");
  assert.deepEqual(states, ["not_connected"]);
});

test("what is no storage is refused", () => {
  for (const tokens of [{}, { load: () => null }, { load: 1, save: 2 }]) {
    assert.throws(() => new Host("memory:", { tokens }), code("invalid_config"));
  }
  assert.throws(() => new Host("memory:", { tokens: new Rows(), tokensTimeout: 0 }), code("invalid_config"));
});

test("a secret tells its source and its fingerprint", () => {
  const path = join(folder, "secret");
  writeFileSync(path, "sk-canary-0123456789\n", { mode: 0o600 });
  const chain = Secret.chain([Secret.env("NBHD_TEST_UNSET"), Secret.mounted(join(folder, "nothing")), Secret.file(path)]);
  assert.deepEqual(chain.status(), { source: `file ${path}`, fingerprint: "sk-…6789" });
  assert.throws(() => Secret.env("NBHD_TEST_UNSET").status(), code("secret_missing"));
  assert.throws(() => Secret.keyring("nbhd-test", "surely-not-there").status(), code("secret_missing"));
  chmodSync(path, 0o640);
  assert.equal(Secret.groupFile(path).status().fingerprint, "sk-…6789");
  assert.throws(() => Secret.file(path).status(), code("secret_missing"));
});

test("the vault seals for a place and rotates", () => {
  const keys = join(folder, "keys");
  writeFileSync(keys, KEY, { mode: 0o600 });
  const { vault } = new Host("memory:", { vaultKey: Secret.file(keys) });
  const place = { tenant: "42", provider: "example", account: "a", field: "key" };
  const sealed = vault.seal("canary größer", place);
  assert.equal(vault.open(sealed, place), "canary größer");
  assert.equal(vault.reseal(sealed, place), null);
  assert.throws(() => vault.open(sealed, { ...place, tenant: "43" }), code("invalid_state"));
  assert.throws(() => vault.open(sealed, { ...place, other: "x" }), code("invalid_input"));
  const old = vault.status().keyId;
  writeFileSync(keys, `202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f,${KEY}`);
  assert.equal(vault.reload().opens[1], old);
  const again = vault.reseal(sealed, place);
  assert.ok(!again.includes(old) && vault.open(again, place) === "canary größer");
});

test("every action leaves one audit event, every run its record", async () => {
  const [auditFile, runsFile] = [join(folder, "audit.jsonl"), join(folder, "runs.jsonl")];
  const told = [];
  const host = new Host("memory:", { auditFile, runsFile, syncFiles: true, onAudit: (event) => told.push([event, threadId]) });
  const parameters = { to: "canary", nested: { n: [1, null] } };
  const begin = () => host.audited("canary", "mail.send", parameters);
  assert.equal(begin().end().outcome, "ok");
  assert.equal(begin().end(new TypeError("canary")).outcome, "internal");
  assert.equal(begin().end(Object.assign(new Error("canary"), { code: "policy_denied" })).outcome, "policy_denied");
  assert.equal(begin().end(Object.assign(new Error("x"), { name: "AbortError" })).outcome, "cancelled");
  const events = host.audit();
  assert.equal(events.length, 4);
  assert.equal(events[0].parametersHash, nbhd.parametersHash(parameters));
  assert.equal(events[0].actor, nbhd.actorFingerprint("canary"));
  const text = readFileSync(auditFile, "utf8");
  assert.equal(text.trim().split("\n").length, 4);
  assert.ok(!text.includes("canary"));
  assert.equal(statSync(auditFile).mode & 0o777, 0o600);
  while (told.length < 4) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(told, events.map((event) => [event, threadId]));

  const run = host.run("brief", "nightly");
  run.addArtifact("out/brief.md");
  assert.deepEqual(run.end().artifactPaths, ["out/brief.md"]);
  assert.throws(() => run.end(), code("invalid_state"));
  assert.equal(host.run("brief", "nightly").end(new Error("x")).errorClass, "internal");
  assert.deepEqual(host.runs().map((record) => record.status), ["running", "succeeded", "running", "failed"]);
  assert.equal(readFileSync(runsFile, "utf8").trim().split("\n").length, 4);
});
