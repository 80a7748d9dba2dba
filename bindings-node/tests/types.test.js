"use strict";

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { test } = require("node:test");
const nbhd = require("..");

const declared = readFileSync(join(__dirname, "..", "index.d.ts"), "utf8");

/** The names of a declared export list: public name → name of the declaration. */
function list(text) {
  const pairs = text.split(",").map((part) => part.trim().split(" as "));
  return new Map(pairs.map(([inner, outer]) => [outer ?? inner, inner]));
}

/** The declared members of a class, static ones with a mark. */
function members(name) {
  const body = declared.match(new RegExp(`declare class ${name}\\b.*?\\{\\n(.*?)\\n\\}`, "s"))[1];
  const found = body
    .split("\n")
    .map((line) => line.match(/^ {2}(static )?(?:get )?([a-zA-Z]\w*)\(/))
    .filter((match) => match && match[2] !== "constructor")
    .map((match) => (match[1] ?? "") + match[2]);
  return found.sort();
}

function present(theClass) {
  const own = Object.getOwnPropertyNames(theClass).filter((name) => !["length", "name", "prototype", "arguments", "caller"].includes(name));
  const inherited = Object.getOwnPropertyNames(theClass.prototype).filter((name) => name !== "constructor");
  return [...own.map((name) => `static ${name}`), ...inherited].sort();
}

const [, standIns, exported] = declared.match(/namespace testkit \{\s*export \{ (.*?) \};.*^export \{ (.*?) \};/ms);

test("what is declared is what is exported", () => {
  assert.deepEqual([...list(exported).keys()].sort(), Object.keys(nbhd).sort());
  assert.deepEqual([...list(standIns).keys()].sort(), Object.keys(nbhd.testkit).sort());
});

test("each class has the declared members and no others", () => {
  let compared = 0;
  for (const [from, names] of [
    [nbhd, list(exported)],
    [nbhd.testkit, list(standIns)],
  ]) {
    for (const [name, inner] of names) {
      if (typeof from[name] !== "function" || !from[name].prototype || name === "NbhdError") continue;
      if (!declared.includes(`declare class ${inner} `)) continue;
      assert.deepEqual(members(inner), present(from[name]), name);
      compared += 1;
    }
  }
  assert.ok(compared >= 15, `${compared} classes compared`);
});

test("the fields of a refusal are the declared ones", () => {
  const body = declared.match(/declare class NbhdError .*?\{\n(.*?)\n\}/s)[1];
  const fields = [...body.matchAll(/^ {2}(\w+)\??: /gm)].map((match) => match[1]);
  assert.throws(
    () => new nbhd.Host("nowhere:"),
    (error) => {
      const own = Object.keys(error).filter((name) => name !== "name");
      assert.deepEqual(own.sort(), fields.filter((name) => name in error).sort());
      assert.deepEqual(fields.filter((name) => !(name in error)), ["receipt"]);
      return true;
    },
  );
});

test("what a call returns has exactly the declared fields", async () => {
  const types = readFileSync(join(__dirname, "..", "types.d.ts"), "utf8");
  const fields = (name) => {
    const body = types.match(new RegExp(`export interface ${name} \\{\n(.*?)\n\\}`, "s"))[1];
    return [...body.matchAll(/^ {2}(\w+)\??: /gm)].map((match) => match[1]).sort();
  };
  const fake = new nbhd.testkit.Telegram();
  const host = new nbhd.Host("memory:");
  const probe = await fake.client(host).probe();
  assert.deepEqual(Object.keys(probe).sort(), fields("Probe"));
  const [receipt] = host.receipts();
  assert.deepEqual(Object.keys(receipt).sort(), fields("Receipt"));
  assert.deepEqual(Object.keys(receipt.attempts[0]).sort(), fields("RequestAttempt"));
});
