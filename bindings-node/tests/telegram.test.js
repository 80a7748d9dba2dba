"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Host, NbhdError, testkit } = require("..");

const CHAT = 4711;

function start() {
  const chat = new testkit.Telegram();
  const host = new Host("memory:", { clock: new testkit.Clock("2026-11-21T08:00:00Z") });
  return { chat, host, telegram: chat.client(host) };
}

test("a message is received, worked on and answered", async () => {
  const { chat, host, telegram } = start();
  const said = chat.say(CHAT, "What needs my attention today?");
  const reply = await telegram.receive(said.headers, said.body);
  assert.deepEqual([reply.status, reply.body, reply.accepted[0].duplicate], [200, "", false]);
  const work = await host.inbox.claim();
  assert.deepEqual([work.event.text, work.event.attempt], ["What needs my attention today?", 1]);
  const delivery = await telegram.send(work.event.conversation, { markdown: "**Two** things", key: "k" });
  await work.done();
  assert.equal(await host.inbox.pending(), 0);
  const [sent] = chat.messages();
  assert.equal(sent.text, "Two things");
  assert.equal(delivery.parts[0].messageId, String(sent.message_id ?? sent.messageId));
  assert.equal(await host.inbox.claim(), null);
});

test("a second delivery runs nothing, a forged call stores nothing", async () => {
  const { chat, host, telegram } = start();
  const said = chat.say(CHAT, "once");
  const duplicates = [];
  for (let time = 0; time < 3; time++) {
    duplicates.push((await telegram.receive(said.headers, said.body)).accepted[0].duplicate);
  }
  assert.deepEqual(duplicates, [false, true, true]);
  const forged = await telegram.receive({ "x-telegram-bot-api-secret-token": "guess" }, said.body);
  assert.deepEqual([forged.status, forged.code], [401, "signature_invalid"]);
  assert.equal(await host.inbox.pending(), 1);
});

test("a lost reply is unknown and is not sent again", async () => {
  const { chat, telegram } = start();
  chat.say(CHAT, "hello");
  chat.fail("telegram.sendMessage", { kind: "lost" });
  for (let time = 0; time < 2; time++) {
    await assert.rejects(telegram.send(String(CHAT), { text: "did it arrive?", key: "k" }), (error) => {
      assert.ok(error instanceof NbhdError);
      assert.equal(error.outcome, "unknown");
      assert.deepEqual(error.delivery.parts.map((part) => part.outcome), ["unknown"]);
      return true;
    });
  }
  assert.equal(chat.calls("telegram.sendMessage"), 1);
  assert.equal(chat.messages().length, 1);
});

test("done and what is to be sent are one write", async () => {
  const { chat, host, telegram } = start();
  const said = chat.say(CHAT, "hello");
  await telegram.receive(said.headers, said.body);
  const work = await host.inbox.claim();
  await work.commit([telegram.intent(work.event.conversation, { text: "stored first", key: "k" })]);
  assert.equal(chat.messages().length, 0);
  await telegram.resume("k");
  assert.deepEqual(chat.messages().map((sent) => sent.text), ["stored first"]);
});

test("work that failed is tried again", async () => {
  const { chat, host, telegram } = start();
  const said = chat.say(CHAT, "hello");
  await telegram.receive(said.headers, said.body);
  await (await host.inbox.claim()).fail("not today");
  assert.equal(await host.inbox.pending(), 1);
});

test("a message is edited and typing is shown", async () => {
  const { chat, telegram } = start();
  chat.say(CHAT, "hello");
  const { parts } = await telegram.send(String(CHAT), { text: "one" });
  const receipt = await telegram.edit(parts[0].messageId, String(CHAT), { markdown: "**two**" });
  assert.deepEqual([receipt.operation, receipt.outcome], ["telegram.edit", "ok"]);
  assert.equal((await telegram.typing(String(CHAT))).operation, "telegram.typing");
  assert.deepEqual(chat.messages().map((sent) => sent.text), ["two"]);
  await assert.rejects(telegram.edit("999", String(CHAT), { text: "gone" }), { code: "not_found" });
  await assert.rejects(telegram.edit(parts[0].messageId, String(CHAT), { colour: "red" }), /edit: .*colour/);
});

test("dead letters are revived and forgotten", async () => {
  const clock = new testkit.Clock("2026-11-21T08:00:00Z");
  const { inbox } = new Host("memory:", { clock });
  await inbox.accept({ provider: "test", instance: "1", dedupe: ["a"], lane: "a", data: { text: "hi" } });
  const die = async () => {
    for (let attempt = 0; attempt < 8; attempt++) {
      await (await inbox.claim()).fail("no");
      clock.advance(180);
    }
    const [letter] = await inbox.deadLetters();
    return letter.event.id;
  };
  await inbox.revive(await die());
  assert.deepEqual([await inbox.deadLetters(), await inbox.pending()], [[], 1]);
  await inbox.forgetDead(await die());
  assert.deepEqual([await inbox.deadLetters(), await inbox.pending()], [[], 0]);
  await assert.rejects(inbox.revive("nothing-has-this-id"), { code: "not_found" });
  await inbox.forgetDead("nothing-has-this-id");
});
