"""What `tuneloop predict` needs: nothing that belongs to training, and pyarrow for Parquet alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tuneloop.artifact import Artifact

WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "mlflow", "datasets", "dbos", "pyarrow", "pandas"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from tuneloop.cli.main import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(("suffix", "code"), [("csv", 0), ("parquet", 2)])
def test_the_serving_environment_is_enough(
    moods: Artifact, write_jsonl: Callable[..., Path], tmp_path: Path, suffix: str, code: int
) -> None:
    source = write_jsonl([{"id": 1, "message": "good coffee"}])
    output = tmp_path / f"out.{suffix}"
    command = [sys.executable, "-c", WITHOUT, "predict", str(moods.folder), "--input", str(source)]
    done = subprocess.run(
        [*command, "--output", str(output)], capture_output=True, text=True, timeout=900, check=False, cwd=tmp_path
    )
    assert done.returncode == code, done.stderr
    assert output.exists() == (code == 0)
    if code:
        assert "pip install 'tuneloop[parquet]'" in done.stderr
        assert "Traceback" not in done.stderr
