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
    "BaseModel",
    "Change",
    "Column",
    "Columns",
    "ConfigError",
    "DataError",
    "DataSource",
    "Detector",
    "Encoded",
    "ExportSpec",
    "Exporter",
    "FitResult",
    "GateEvent",
    "GateRefusedError",
    "Metric",
    "MissingExtraError",
    "NO_PLACE",
    "NoOptions",
    "Plugin",
    "PluginConflictError",
    "PluginError",
    "Predictions",
    "Preprocessor",
    "PreprocessorChoice",
    "PromotionEvent",
    "RegistryError",
    "RequestError",
    "Row",
    "RunError",
    "ServingError",
    "Signal",
    "SignalBatch",
    "StepEvent",
    "Strategy",
    "Task",
    "Tensor",
    "TorchModel",
    "TrainingData",
    "Transform",
    "TuneloopError",
    "UnknownPluginError",
    "VerificationError",
    "Words",
    "fill_up",
    "hookimpl",
    "row_count",
    "scatter",
]

CONTRACTS = [
    "BaseModelContract",
    "DataSourceContract",
    "DetectorContract",
    "ExporterContract",
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
        undocumented = ("Answer", "Arrays", "Change", "Row", "hookimpl")
        assert isinstance(value, str) or name in undocumented or value.__doc__, name


@pytest.mark.parametrize("module", ["tuneloop.api", "tuneloop.cli.main", "tuneloop.cli.plugins", "tuneloop.plugins"])
def test_pytest_is_imported_by_the_contracts_alone(module):
    code = f"import sys, {module}; print(*sorted({{'pytest', 'hypothesis', 'torch', 'datasets'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_contracts_say_what_to_install():
    code = "import sys; sys.modules['hypothesis'] = None; import tuneloop.api.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install pytest hypothesis" in done.stderr
