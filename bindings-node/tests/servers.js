// Real database servers for tests: each on a free port of loopback, in a folder of its own, gone when it is stopped.
"use strict";

const assert = require("node:assert/strict");
const { execFileSync, spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");

// What makes every acknowledged commit of a Redis survive.
const ALWAYS = ["--appendonly", "yes", "--appendfsync", "always"];

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    socket.once("data", (bytes) => {
      socket.destroy();
      resolve(bytes.toString().startsWith("+PONG"));
    });
    socket.once("error", () => resolve(false));
  });
}

/** What stops a server: the signal that ends it with all of its own, and its folder goes. */
function stopping(server, signal, folder) {
  const ended = new Promise((resolve) => server.once("close", resolve));
  // Whoever ends without stopping it leaves no server behind.
  const last = () => server.kill(signal);
  process.once("exit", last);
  return async () => {
    server.kill(signal);
    await ended;
    process.off("exit", last);
    fs.rmSync(folder, { recursive: true, force: true });
  };
}

/** A Redis with these settings: `{ address, stop }`. */
async function redisServer(settings) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nbhd-redis-node-"));
  const port = await freePort();
  const place = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
  const server = spawn("redis-server", [...place, ...settings], { stdio: "ignore" });
  const stop = stopping(server, "SIGKILL", folder);
  const failed = new Promise((_, reject) => {
    server.once("error", () => reject(new Error("install it, on Debian with `apt-get install redis-server`")));
  });
  const until = Date.now() + 20_000;
  while (!(await Promise.race([answers(port), failed]))) {
    assert.ok(Date.now() < until && server.exitCode === null, "redis-server does not start");
  }
  return { address: `redis://127.0.0.1:${port}/0`, stop };
}

/** A program of PostgreSQL: the newest that Debian's packages put in place, else by the search path. */
function ofPostgres(name) {
  const kept = "/usr/lib/postgresql";
  const versions = fs.existsSync(kept) ? fs.readdirSync(kept).sort((a, b) => b - a) : [];
  const found = versions.map((version) => path.join(kept, version, "bin", name)).find((program) => fs.existsSync(program));
  return found ?? name;
}

/** A PostgreSQL with one database: `{ address, stop }`; `?schema=…` makes it a store's. */
async function postgresServer() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nbhd-postgres-node-"));
  const who = { cwd: folder };
  // PostgreSQL does not run as root.
  if (process.geteuid() === 0) {
    const id = (kind) => Number(execFileSync("id", [kind, "postgres"], { encoding: "utf8" }));
    Object.assign(who, { uid: id("-u"), gid: id("-g") });
    fs.chownSync(folder, who.uid, who.gid);
  }
  const made = ["-D", folder, "-U", "nbhd", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
  execFileSync(ofPostgres("initdb"), made, { ...who, stdio: ["ignore", "ignore", "inherit"] });
  const port = await freePort();
  const place = ["-D", folder, "-k", "", "-p", String(port), "-c", "listen_addresses=127.0.0.1"];
  const env = { ...process.env, LC_ALL: "C" };
  const server = spawn(ofPostgres("postgres"), place, { ...who, env, stdio: ["ignore", "ignore", "pipe"] });
  const stop = stopping(server, "SIGQUIT", folder); // which ends its sessions as well
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("close", () => reject(new Error("PostgreSQL does not start")));
    readline.createInterface(server.stderr).on("line", (line) => line.includes("ready to accept") && resolve());
  });
  return { address: `postgres://nbhd@127.0.0.1:${port}/postgres`, stop };
}

module.exports = { ALWAYS, postgresServer, redisServer };
