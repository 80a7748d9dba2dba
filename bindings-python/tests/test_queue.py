"""The queue as a Python program uses it; what it promises is in the conformance cases and in the core's own tests."""

import asyncio
import pathlib
import subprocess
import sys

import pytest
from test_readme import ROOT, SAME, blocks

import nbhd
from nbhd import testkit

RULES = {"targets": ["writer"], "callers": {"main": {"targets": ["writer"]}}}


def world():
    clock = testkit.Clock("2026-11-21T08:00:00Z")
    host = nbhd.Host("memory:", clock=clock)
    return clock, host, nbhd.Queue(host, RULES)


def test_the_guide_quotes_its_programs_and_they_run():
    shown = blocks("docs/queue.md")
    for program in ("examples/python/jobs.py", "examples/node/jobs.js"):
        assert (ROOT / program).read_text(encoding="utf-8") in shown
    program = pathlib.Path("examples/python/jobs.py")
    ran = subprocess.run([sys.executable, program], cwd=ROOT, env=SAME, capture_output=True, text=True, timeout=300)
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("policy_denied: `visitor` is not a caller")
    assert lines[1:3] == ["It rains.", "idle"]
    assert lines[3].endswith("was given up after 1 attempt.") and lines[-1] == "Error: internal: there is no such poem"


def test_a_block_ends_its_job():
    clock, _, queue = world()
    worker = queue.worker("writer", "w1")
    ids = [queue.dispatch("main", {"target": "writer", "task": task})["id"] for task in ("good", "bad")]
    for work in worker.work(wait=False):
        with work as job:
            assert work.is_held() and job["attempt"] == 1
            if job["task"] == "bad":
                raise ValueError("no")
    statuses = [queue.status("main", each) for each in ids]
    assert [each["status"] for each in statuses] == ["completed", "retrying"]
    assert statuses[1]["error"] == "ValueError: no"
    clock.advance(5)
    with worker.claim() as job:
        assert (job["id"], job["attempt"]) == (ids[1], 2)
    assert queue.status("main", ids[1])["status"] == "completed"


def test_a_block_that_said_how_it_ended_says_no_more(caplog):
    _, _, queue = world()
    first = queue.dispatch("main", {"target": "writer", "task": "x"})
    work = queue.worker("writer", "w1").claim()
    with work:
        work.complete("done")
        raise ValueError("afterwards")
    assert queue.status("main", first["id"])["result"] == "done"
    assert [record.message for record in caplog.records] == ["the block raised after its work had ended"]


def test_the_awaitable_twins():
    async def main():
        _, _, queue = world()
        first = await queue.adispatch("main", {"target": "writer", "task": "x"})
        worker = queue.worker("writer", "w1")
        async for work in worker.work(wait=False):
            async with work as job:
                await work.acomplete(job["task"])
        return await queue.astatus("main", first["id"])

    assert asyncio.run(main())["result"] == "x"


def test_a_clock_that_steps_ahead_is_told_and_confirmed():
    _, host, _ = world()
    assert host.clock_ahead() is None
    host.confirm_clock()


def test_rules_are_checked():
    _, host, _ = world()
    for rules in ({"target": []}, {"max_depth": -1}, {"backoff_first": -1.0}):
        with pytest.raises(nbhd.NbhdError):
            nbhd.Queue(host, rules)
