"""What `tuneloop.api` offers is changed on purpose only, and costs nothing that a plugin does not ask for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tuneloop import api

PUBLIC = [
    "ABSENT",
    "API_VERSION",
    "AlertEvent",
    "Answer",
    "Arrays",
    "ArtifactError",
    "Augmentation",
    "BaseModel",
    "Change",
    "Column",
    "Columns",
    "ConfigError",
    "DataError",
    "DataSource",
    "DecoderModel",
    "Detector",
    "Encoded",
    "EncoderDecoderModel",
    "ExportSpec",
    "Exporter",
    "FitResult",
    "FrameModel",
    "GateEvent",
    "GateRefusedError",
    "Job",
    "Judging",
    "Launcher",
    "LossName",
    "Metric",
    "MissingExtraError",
    "NO_PLACE",
    "NoOptions",
    "Outcome",
    "Passage",
    "Plugin",
    "PluginConflictError",
    "PluginError",
    "Predictions",
    "Preprocessor",
    "PreprocessorChoice",
    "PromotionEvent",
    "RegistryError",
    "Report",
    "RequestError",
    "Row",
    "RowTransform",
    "RunError",
    "SCORED",
    "ServingError",
    "Signal",
    "SignalBatch",
    "StepEvent",
    "StorageError",
    "Strategy",
    "TARGET_IDS",
    "Task",
    "Tensor",
    "TorchModel",
    "TrainingData",
    "Transform",
    "TuneloopError",
    "UnknownPluginError",
    "UndefinedMetricError",
    "VerificationError",
    "Words",
    "begin",
    "call",
    "fill_up",
    "hookimpl",
    "is_launched",
    "pack_error",
    "row_count",
    "scatter",
    "unpack_error",
]

UNDOCUMENTED = ("Answer", "Arrays", "Change", "Job", "Judging", "LossName", "Outcome", "Report", "Row", "hookimpl")
"""Aliases of types, whose docstrings stand below them."""

CONTRACTS = [
    "BaseModelContract",
    "DataSourceContract",
    "DetectorContract",
    "ExporterContract",
    "LauncherContract",
    "MetricContract",
    "ObserverContract",
    "PluginContract",
    "PreprocessorContract",
    "SignalContract",
    "StrategyContract",
    "TaskContract",
    "TransformContract",
]


def test_the_public_names():
    """Adding one asks for a new minor API version, taking one away for a new major one."""
    assert sorted(api.__all__) == sorted(PUBLIC)
    assert api.API_VERSION == "1.0"


def test_the_public_contracts():
    from tuneloop.api import testing

    assert testing.__all__ == CONTRACTS


def test_every_name_is_there_and_is_explained():
    for name in api.__all__:
        value = getattr(api, name)
        assert isinstance(value, str) or name in UNDOCUMENTED or value.__doc__, name


@pytest.mark.parametrize("module", ["tuneloop.api", "tuneloop.cli.main", "tuneloop.cli.plugins", "tuneloop.plugins"])
def test_pytest_is_imported_by_the_contracts_alone(module):
    code = f"import sys, {module}; print(*sorted({{'pytest', 'hypothesis', 'torch', 'datasets'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_contracts_say_what_to_install():
    code = "import sys; sys.modules['hypothesis'] = None; import tuneloop.api.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install pytest hypothesis" in done.stderr
