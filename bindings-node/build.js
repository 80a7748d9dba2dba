// Builds the addon with cargo and puts it beside index.js. `npm install <folder>` runs it as `prepare`; the published
// packages carry prebuilt addons and no scripts. NBHD_PROFILE names another cargo profile than `release`.
"use strict";

const { execFileSync } = require("node:child_process");
const { copyFileSync, renameSync } = require("node:fs");
const { join } = require("node:path");
const { addonName } = require("./platform.js");

const profile = process.env.NBHD_PROFILE || "release";
const out = execFileSync(
  "cargo",
  ["build", "--profile", profile, "-p", "nbhd-node", "--message-format=json-render-diagnostics"],
  { cwd: __dirname, stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28 },
);
const built = out
  .toString()
  .split("\n")
  .filter(Boolean)
  .map((line) => JSON.parse(line))
  .filter((message) => message.reason === "compiler-artifact" && message.target.name === "nbhd_node")
  .flatMap((message) => message.filenames)
  .find((name) => /\.(so|dylib|dll)$/.test(name));
if (!built) throw new Error("cargo built no addon");
// Copied beside and renamed, so that a process that has the old addon loaded keeps it.
const target = join(__dirname, addonName());
copyFileSync(built, `${target}.new`);
renameSync(`${target}.new`, target);
