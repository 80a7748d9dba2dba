"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Host, NbhdError, Router, testkit } = require("..");

process.env.NBHD_TEST_KEY = "sk-stand-in";
const QUESTION = "What needs my attention today?";
const CALL = { purpose: "general", scopes: ["tenant:42"] };

function config(models, day = "1.00 USD") {
  const provider = (name) => ({ base_url: models.baseUrl(name), api_key: { env: "NBHD_TEST_KEY" } });
  return {
    provider: { openai: provider("openai"), mistral: provider("mistral") },
    purpose: { general: { chain: ["openai/gpt-4o-mini", "mistral/mistral-small-2603"], scopes: ["tenant"] } },
    budget: { tenant: { day } },
  };
}

function start(day) {
  const models = new testkit.Models();
  return { models, router: new Router(new Host("memory:"), config(models, day)) };
}

async function left(router) {
  return (await router.remaining(["tenant:42"]))[0];
}

test("an answer is settled at what was billed", async () => {
  const { models, router } = start();
  const answer = await router.chat(QUESTION, CALL);
  assert.ok(answer.text);
  assert.deepEqual([answer.provider, answer.model, answer.cost.basis], ["openai", "gpt-4o-mini", "actual"]);
  const day = await left(router);
  assert.equal(models.bill().nanoUsd, answer.cost.nanoUsd);
  assert.deepEqual([day.settled, day.held], [answer.cost.nanoUsd, 0]);
});

test("a stream gives the same as its answer", async () => {
  const { models, router } = start();
  const events = [];
  for await (const event of router.stream(QUESTION, CALL)) events.push(event);
  assert.equal(events[0].type, "started");
  const text = events.filter((event) => event.type === "text").map((event) => event.text).join("");
  assert.equal(events.at(-1).answer.text, text);
  assert.equal((await left(router)).settled, models.bill().nanoUsd);
});

test("a stream that is left early is settled at the bill", async () => {
  const { models, router } = start();
  for await (const event of router.stream(QUESTION, CALL)) {
    assert.equal(event.type, "started");
    break;
  }
  // It is read on in the background for its usage: each look at the ledger is a call, so there is nothing to sleep for.
  while ((await left(router)).held > 0);
  const day = await left(router);
  assert.equal(day.held, 0);
  assert.ok(models.bill().nanoUsd > 0 && day.settled + day.provisional >= models.bill().nanoUsd);
});

test("the fallback answers when the primary is throttled", async () => {
  const { models, router } = start();
  models.fail("llm.chat:gpt-4o-mini", { status: 429, retryAfter: 30 });
  const answer = await router.chat(QUESTION, CALL);
  assert.deepEqual(answer.attempts.map((attempt) => attempt.provider), ["openai", "mistral"]);
  assert.ok((await router.explain(QUESTION, CALL)).candidates[0].restsUntil);
  assert.equal(models.calls("llm.chat"), 2);
});

test("a budget refuses before anything is sent", async () => {
  const { models, router } = start("0.0001 USD");
  let refusal;
  await assert.rejects(router.chat(QUESTION, CALL), (error) => {
    refusal = error;
    assert.ok(error instanceof NbhdError);
    assert.deepEqual([error.code, error.outcome, error.budget.scope], ["budget_exceeded", "not_sent", "tenant:42"]);
    assert.ok(error.budget.remaining === 100000 && error.budget.needed > 100000 && error.budget.resetsAt);
    return true;
  });
  assert.equal(models.calls("*"), 0);
  const answer = await router.chat(QUESTION, { ...CALL, outputCap: refusal.budget.affordableOutputTokens });
  assert.ok(answer.text);
});

test("a chain that ends for money says what a budget says", async () => {
  // The cheap model is throttled for longer than the call may take, the dear one is beyond the budget.
  const models = new testkit.Models();
  const dear = config(models, "0.0002 USD");
  dear.purpose.general.chain = ["mistral/mistral-small-2603", "openai/gpt-4.1"];
  models.fail("llm.chat:mistral-small-2603", { status: 429, retryAfter: 3600 });
  await assert.rejects(new Router(new Host("memory:"), dear).chat(QUESTION, { ...CALL, outputCap: 64 }), (error) => {
    assert.deepEqual([error.code, error.budget.scope, error.budget.window], ["chain_exhausted", "tenant:42", "day"]);
    assert.ok(error.budget.remaining === 200000 && error.budget.needed > 200000);
    assert.ok(Number.isInteger(error.budget.affordableOutputTokens) && error.budget.resetsAt.endsWith("Z"));
    return true;
  });
});

test("explain calls nobody", async () => {
  const { models, router } = start();
  const explained = await router.explain(QUESTION, CALL);
  assert.deepEqual(explained.candidates.map((candidate) => candidate.model), ["gpt-4o-mini", "mistral-small-2603"]);
  assert.ok(explained.most > 0 && models.calls("*") === 0);
});

test("a failure in the middle of a stream throws", async () => {
  const models = new testkit.Models();
  const only = config(models);
  only.purpose.general.chain = ["openai/gpt-4o-mini"];
  const router = new Router(new Host("memory:"), only);
  models.fail("llm.chat", { kind: "cut" });
  await assert.rejects(
    async () => {
      for await (const event of router.stream(QUESTION, CALL)) assert.ok(event.type);
    },
    (error) => error instanceof NbhdError && error.outcome === "unknown",
  );
  assert.equal((await left(router)).held, 0);
});
