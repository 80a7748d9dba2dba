"""The examples of the READMEs are programs that run, word by word."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

import nbhd

ROOT = pathlib.Path(__file__).parents[2]
# The same package as here, wherever the example runs.
SAME = {**os.environ, "PYTHONPATH": str(pathlib.Path(nbhd.__file__).resolve().parents[1])}
# A document, and the programs that it quotes as a whole.
QUOTED = {
    "README.md": ["examples/python/quickstart.py", "examples/node/quickstart.js", "examples/src/bin/quickstart.rs"],
    "bindings-python/README.md": ["examples/python/quickstart.py", "examples/python/own_test.py"],
    "bindings-node/README.md": ["examples/node/quickstart.js"],
    "docs/secure-request.md": ["examples/python/secure_request.py"],
}


def run(folder, *arguments):
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=SAME, capture_output=True, text=True, timeout=300)


def blocks(document):
    return re.findall(r"^```\w+\n(.*?)^```$", (ROOT / document).read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize("document", QUOTED)
def test_a_readme_quotes_its_programs_word_by_word(document):
    shown = blocks(document)
    for program in QUOTED[document]:
        assert (ROOT / program).read_text(encoding="utf-8") in shown, f"{document} does not show {program} as it is"


def test_the_example_runs_in_an_empty_folder(tmp_path):
    (tmp_path / "quickstart.py").write_text(blocks("bindings-python/README.md")[0], encoding="utf-8")
    ran = run(tmp_path, "quickstart.py")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "The offer · ada@example.com" in ran.stdout and "USD" in ran.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["quickstart.py"]


def test_the_test_of_a_user_passes(tmp_path):
    (tmp_path / "test_own.py").write_text((ROOT / "examples/python/own_test.py").read_text(), encoding="utf-8")
    ran = run(tmp_path, "-m", "pytest", "-q")
    assert ran.returncode == 0 and "1 passed" in ran.stdout, ran.stdout


def test_the_guide_to_secure_requests_runs_and_prints_no_secret(tmp_path):
    (tmp_path / "secure_request.py").write_text(blocks("docs/secure-request.md")[0], encoding="utf-8")
    ended = run(tmp_path, "secure_request.py")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["200 {'orders': [17], 'debug': 'key=***'}", "address_denied not_sent"]
