"""The whole benchmark, small: a model from the real pipeline, real servers, a real report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.bench.workloads import even_lengths, mixed_lengths


@pytest.mark.slow
def test_two_subjects_are_measured_and_reported(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.bench.serving", "--output", str(tmp_path), "--workload", "table"]
    short = ["--part", "load", "--part", "burst", "--rounds", "1", "--seconds", "0.5", "--concurrency", "8"]
    names = ("tuneloop-raw", "fastapi")
    subjects = [word for name in names for word in ("--subject", name)]
    done = subprocess.run([*command, *short, *subjects], capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "report.json").read_text())
    servers = [one for one in found["measurements"] if one["concurrency"]]
    assert sorted(one["subject"] for one in servers) == sorted(names)
    assert all(one["rate"] > 0 and one["cpu"] > 0 and not one["failed"] for one in servers)
    assert [one["subject"] for one in found["bursts"]] == list(names)
    text = (tmp_path / "report.md").read_text()
    assert "| table: tuneloop-raw / fastapi | 8 clients |" in text
    assert "## Machine" in text
    assert "tuneloop-raw / fastapi" in done.stdout


def test_an_unknown_subject_is_named() -> None:
    from click.testing import CliRunner
    from tests.bench.serving import main

    result = CliRunner().invoke(main, ["--subject", "triton"])
    assert result.exit_code == 2
    assert "'triton' is not one of 'tuneloop-raw'" in result.output


def test_lengths_are_what_the_model_takes_and_the_same_in_every_run() -> None:
    assert set(even_lengths()) == {128}
    mixed = mixed_lengths()
    assert min(mixed) >= 8
    assert max(mixed) <= 128
    assert len(set(mixed)) > 20
    assert mixed == mixed_lengths()
