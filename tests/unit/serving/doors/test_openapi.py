"""The OpenAPI page held to its word by schemathesis: what it takes, answers and refuses is as the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CONFIGURATION = Path(__file__).parent / "schemathesis.toml"


@pytest.fixture(params=["table", "desk"])
def door(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def test_schemathesis_finds_nothing(door: Any, tmp_path: Path) -> None:
    page = f"{door.server.url}/docs.json"
    options = ["--max-examples=15", "--phases=examples,coverage,fuzzing", "--generation-deterministic"]
    quiet = ["--continue-on-failure", "--request-timeout=60", "--no-color", "--warnings=off"]
    command = [sys.executable, "-m", "schemathesis.cli", f"--config-file={CONFIGURATION}", "run", page]
    done = subprocess.run(
        [*command, *options, *quiet], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    generated = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert generated is not None, done.stdout[-3000:]
    assert int(generated[1]) == int(generated[2]) > 300


def test_every_example_is_answered(door: Any) -> None:
    schemas = door.client.get("/docs.json").json()["components"]["schemas"]
    rows = schemas["PredictRequest"]["example"]["rows"]
    typed = door.client.post("/predict", json={"rows": rows})
    example = schemas["PredictResponse"]["example"]["predictions"]
    assert [one["label"] for one in typed.json()["predictions"]] == [one["label"] for one in example]
    raw = door.client.post(door.infer, json=schemas["InferRequest"]["example"])
    assert raw.json()["outputs"][0]["shape"][0] == 2
