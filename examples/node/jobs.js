// Jobs that one part of a program gives to another: rules, a worker, a failure, a dead letter.
"use strict";

const { AlertGate, Host, NbhdError, Queue } = require("nbhd");

async function main() {
  const host = new Host("memory:"); // "sqlite:nbhd.db" or "redis://…": shared by every process that names it
  const queue = new Queue(host, {
    targets: ["writer"],
    callers: { assistant: { targets: ["writer"] } }, // who is not here may do nothing
    attempts: 1,
  });

  const poem = await queue.dispatch("assistant", { target: "writer", task: "a poem on rain", key: "poem:42" });
  await queue.dispatch("assistant", { target: "writer", task: "a poem on rain", key: "poem:42" }); // the same job, once
  await queue.dispatch("assistant", { target: "writer", task: "a poem on nothing" });
  try {
    await queue.dispatch("visitor", { target: "writer", task: "a poem on cats" });
  } catch (error) {
    if (!(error instanceof NbhdError)) throw error;
    console.log(error.message);
  }

  const worker = queue.worker("writer", "worker-1");
  for (let work = await worker.claim(); work; work = await worker.claim()) {
    if (work.job.task.includes("nothing")) await work.giveUp("there is no such poem");
    else await work.complete("It rains.");
  }

  console.log((await queue.status("assistant", poem.id)).result);
  console.log((await queue.activity("assistant")).targets.writer.status);
  for (const letter of await queue.deadLetters("assistant")) {
    const alert = await new AlertGate(host).begin("writer", "ops"); // one in half an hour, counted from when it was sent
    if (alert) {
      console.log(letter.alert);
      await alert.sent();
    }
  }
}

main();
