"""No library reports anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tuneloop import TELEMETRY_OFF

CODE = """
import json, tuneloop
from bentoml._internal.utils.analytics import usage_stats
from huggingface_hub import constants
from mlflow.telemetry.utils import is_telemetry_disabled
print(json.dumps([usage_stats.do_not_track(), constants.HF_HUB_DISABLE_TELEMETRY, is_telemetry_disabled()]))
"""


def test_the_libraries_agree_that_nothing_is_sent() -> None:
    hidden = {*TELEMETRY_OFF, "CI", "GITHUB_ACTIONS", "PYTEST_CURRENT_TEST"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [True, True, True]
