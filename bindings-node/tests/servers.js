// Real database servers for tests: each on a free port of loopback, in a folder of its own, gone when it is stopped.
"use strict";

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

/** Whether this very process answers there: the port may be another's. */
function isRedis(port, process) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write("INFO server\r\nQUIT\r\n"));
    let reply = "";
    socket.on("data", (bytes) => (reply += bytes));
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(reply.includes(`process_id:${process}\r\n`)));
  });
}

/**
 * The port of what `begin(port)` starts, and what stops it: `{ port, stop }`. The port was free a moment before: where somebody else
 * has it now, another is tried.
 */
async function running(begin, isUp, signal, folder) {
  for (let tries = 0; tries < 5; tries += 1) {
    const port = await freePort();
    const server = begin(port);
    const failed = new Promise((_, reject) => {
      const advice = "install it, on Debian with `apt-get install redis-server postgresql`";
      server.once("error", (cause) => reject(new Error(advice, { cause })));
    });
    const ended = new Promise((resolve) => server.once("close", () => resolve(false)));
    // Whoever ends without stopping it leaves no server behind.
    const last = () => server.kill(signal);
    process.once("exit", last);
    const end = async () => {
      server.kill(signal);
      await ended;
      process.off("exit", last);
    };
    if (await Promise.race([isUp(server, port), ended, failed])) {
      const stop = async () => {
        await end();
        fs.rmSync(folder, { recursive: true, force: true });
      };
      return { port, stop };
    }
    await end();
  }
  throw new Error("the server does not start");
}

/** A Redis with these settings: `{ address, stop }`. */
async function redisServer(settings) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nbhd-redis-node-"));
  const begin = (port) => {
    const place = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
    return spawn("redis-server", [...place, ...settings], { stdio: "ignore" });
  };
  const isUp = async (server, port) => {
    const until = Date.now() + 60_000;
    while (server.exitCode === null && Date.now() < until) {
      if (await isRedis(port, server.pid)) return true;
    }
    return false;
  };
  const { port, stop } = await running(begin, isUp, "SIGKILL", folder);
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
  const env = { ...process.env, LC_ALL: "C" };
  const begin = (port) => {
    const place = ["-D", folder, "-k", "", "-p", String(port), "-c", "listen_addresses=127.0.0.1"];
    return spawn(ofPostgres("postgres"), place, { ...who, env, stdio: ["ignore", "ignore", "pipe"] });
  };
  const isUp = (server) =>
    new Promise((resolve) => {
      readline.createInterface(server.stderr).on("line", (line) => line.includes("ready to accept") && resolve(true));
    });
  const { port, stop } = await running(begin, isUp, "SIGQUIT", folder); // which ends its sessions as well
  return { address: `postgres://nbhd@127.0.0.1:${port}/postgres`, stop };
}

module.exports = { ALWAYS, postgresServer, redisServer };
