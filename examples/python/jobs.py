"""Jobs that one part of a program gives to another: rules, a worker, a failure, a dead letter."""

import nbhd

host = nbhd.Host("memory:")  # "sqlite:nbhd.db" or "redis://…": shared by every process that names it
queue = nbhd.Queue(host, {
    "targets": ["writer"],
    "callers": {"assistant": {"targets": ["writer"]}},  # who is not here may do nothing
    "attempts": 1,
})

poem = queue.dispatch("assistant", {"target": "writer", "task": "a poem on rain", "key": "poem:42"})
queue.dispatch("assistant", {"target": "writer", "task": "a poem on rain", "key": "poem:42"})  # the same job, once
queue.dispatch("assistant", {"target": "writer", "task": "a poem on nothing"})
try:
    queue.dispatch("visitor", {"target": "writer", "task": "a poem on cats"})
except nbhd.PolicyDenied as error:
    print(error)

worker = queue.worker("writer", "worker-1")
for work in worker.work(wait=False):  # without wait=False it waits for the next job
    with work as job:  # leased and renewed; tried again when the block raises
        if "nothing" in job["task"]:
            work.give_up("there is no such poem")
        else:
            work.complete("It rains.")

print(queue.status("assistant", poem["id"])["result"])
print(queue.activity("assistant")["targets"]["writer"]["status"])
for letter in queue.dead_letters("assistant"):
    alert = nbhd.AlertGate(host).begin("writer", "ops")  # one alert in half an hour, counted from when it was sent
    if alert:
        print(letter["alert"])
        alert.sent()
