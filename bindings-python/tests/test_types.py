"""The types: the stubs say what is there, and type checkers accept and refuse what they should."""

import os
import subprocess
import sys
from inspect import ismemberdescriptor
from operator import attrgetter
from pathlib import Path

import nbhd
from nbhd import types

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "python"


def mypy(*arguments):
    run = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=HERE.parent,
        env={**os.environ, "MYPYPATH": str(PACKAGE), "PYTHONPATH": str(PACKAGE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_the_stubs_say_what_is_there():
    out = mypy("mypy.stubtest", "nbhd", "--allowlist", "tests/stubtest_allowed.txt")
    assert "Success: no issues found" in out


def test_a_strict_checker_accepts_right_uses_and_refuses_wrong_ones(tmp_path):
    program = (HERE / "typed_program.py").read_text()
    assert program.count("# type: ignore[") >= 10
    for version in ("3.10", "3.13"):
        out = mypy(
            *("mypy", "--strict", "--python-version", version, "--cache-dir", str(tmp_path)), "tests/typed_program.py"
        )
        assert "Success: no issues found in 1 source file" in out


def test_every_kind_of_data_has_a_type():
    assert {"Receipt", "InboxEvent", "MailMessage", "CalendarEvent", "Answer", "Delivery"} <= set(types.__all__)
    assert all(hasattr(types, name) for name in types.__all__)


def test_what_a_call_returns_has_exactly_the_declared_fields():
    with nbhd.testkit.Telegram() as fake:
        host = nbhd.Host("memory:")
        probe = fake.client(host).probe()
    assert set(probe) == types.Probe.__required_keys__
    (receipt,) = host.receipts()
    assert set(receipt) == types.Receipt.__required_keys__
    assert set(receipt["attempts"][0]) == types.RequestAttempt.__required_keys__


def test_everything_public_has_documentation():
    undocumented = []
    for name in (*nbhd.__all__, *(f"testkit.{name}" for name in nbhd.testkit.__all__)):
        item = attrgetter(name)(nbhd)
        if not callable(item):
            continue
        if not item.__doc__:
            undocumented.append(name)
        for member in vars(item) if isinstance(item, type) else ():
            # What a slot holds is told by the documentation of its class.
            if member.startswith("_") or ismemberdescriptor(getattr(item, member)):
                continue
            if not getattr(item, member).__doc__:
                undocumented.append(f"{name}.{member}")
    assert undocumented == []
