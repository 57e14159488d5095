"""The contracts find what is wrong: each broken plugin of `broken_*.py.txt` fails the test that its comment names."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = {part: Path(__file__).with_name(f"broken_{part}.py.txt").read_text() for part in ("data", "models")}
CASE = re.compile(r"^# (test_\w+) \|([^\n]*)\nclass (\w+)", re.M)
EXPECTED = [case for source in SOURCES.values() for case in CASE.findall(source)]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """Failed tests with their messages, of one run over both files."""
    folder = tmp_path_factory.mktemp("broken")
    wanted = []
    for part, source in SOURCES.items():
        (folder / f"test_{part}.py").write_text(source)
        wanted += [f"test_{part}.py::{cls}::{test}" for test, _, cls in CASE.findall(source)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=report.xml", *wanted],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    from xml.etree import ElementTree

    found = {}
    for case in ElementTree.parse(folder / "report.xml").iter("testcase"):
        failure = next(iter(case.findall("failure")), None)
        text = "" if failure is None else (failure.get("message") or "") + (failure.text or "")
        key = f"{(case.get('classname') or '').rpartition('.')[2]}::{case.get('name')}"
        found[key] = ("passed" if failure is None else "failed", text)
    return found


@pytest.mark.parametrize(("test", "said", "cls"), EXPECTED, ids=[f"{cls}-{test}" for test, _, cls in EXPECTED])
def test_what_is_wrong_is_found(outcomes, test, said, cls):
    outcome, text = outcomes[f"{cls}::{test}"]
    assert outcome == "failed"
    assert said.strip() in text


def test_every_kind_is_here():
    contracts = set(re.findall(r"\((\w+Contract)\)", "".join(SOURCES.values())))
    assert len(contracts) == 11
