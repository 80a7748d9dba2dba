"use strict";

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");

const PACKAGE = path.join(__dirname, "..");

test("the first example of the README runs in an empty folder", () => {
  const readme = fs.readFileSync(path.join(PACKAGE, "README.md"), "utf8");
  const [, program] = readme.match(/^```js\n(.*?)^```$/ms);
  assert.equal(program, fs.readFileSync(path.join(PACKAGE, "..", "examples", "node", "quickstart.js"), "utf8"));
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nbhd-readme-"));
  try {
    fs.mkdirSync(path.join(folder, "node_modules"));
    // What `npm install <folder>` makes: a link.
    fs.symlinkSync(PACKAGE, path.join(folder, "node_modules", "nbhd"));
    fs.writeFileSync(path.join(folder, "quickstart.js"), program);
    const printed = execFileSync(process.execPath, ["quickstart.js"], { cwd: folder, encoding: "utf8", timeout: 300_000 });
    assert.match(printed, /The offer · ada@example\.com/);
    assert.match(printed, /USD/);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});
