"""The public plugin API: what a plugin may import, and nothing else of Tuneloop.

```python
from tuneloop.api import DataError, Metric, hookimpl

TUNELOOP_API = ">=1,<2"


class ExactShare(Metric):
    'The share of right answers.'

    name, maximize, kinds = "exact_share", True, frozenset({"classification"})

    def compute(self, predictions, references):
        if not len(references):
            raise DataError("exact_share needs at least one row")
        return float((predictions.values == references).mean())


@hookimpl
def tuneloop_metrics():
    return [ExactShare]
```
"""

from tuneloop.api.base_model import (
    SCORED,
    TARGET_IDS,
    BaseModel,
    DecoderModel,
    EncoderDecoderModel,
    FrameModel,
    TorchModel,
)
from tuneloop.api.carried import pack_error, unpack_error
from tuneloop.api.detector import Change, Detector
from tuneloop.api.errors import (
    ArtifactError,
    ConfigError,
    DataError,
    GateRefusedError,
    MissingExtraError,
    PluginConflictError,
    PluginError,
    RegistryError,
    RequestError,
    RunError,
    ServingError,
    StorageError,
    TuneloopError,
    UndefinedMetricError,
    UnknownPluginError,
    VerificationError,
)
from tuneloop.api.exporter import Exporter, ExportSpec
from tuneloop.api.hookspecs import hookimpl
from tuneloop.api.launcher import Job, Launcher, Outcome, Report, begin, call, is_launched
from tuneloop.api.metric import Metric
from tuneloop.api.passage import Passage
from tuneloop.api.plugin import NoOptions, Plugin
from tuneloop.api.preprocessor import Preprocessor, PreprocessorChoice
from tuneloop.api.rows import Augmentation, DataSource, RowTransform, Transform
from tuneloop.api.signal import Signal
from tuneloop.api.strategy import FitResult, Strategy, TrainingData
from tuneloop.api.task import Task
from tuneloop.api.types import (
    ABSENT,
    NO_PLACE,
    AlertEvent,
    Answer,
    Arrays,
    Column,
    Columns,
    Encoded,
    GateEvent,
    Judging,
    LossName,
    Predictions,
    PromotionEvent,
    Row,
    SignalBatch,
    StepEvent,
    Tensor,
    fill_up,
    row_count,
    scatter,
)
from tuneloop.api.words import Words

API_VERSION = "1.0"
"""What a plugin's `TUNELOOP_API` range is checked against."""

__all__ = [
    "ABSENT",
    "API_VERSION",
    "NO_PLACE",
    "SCORED",
    "TARGET_IDS",
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
    "ServingError",
    "Signal",
    "SignalBatch",
    "StepEvent",
    "StorageError",
    "Strategy",
    "Task",
    "Tensor",
    "TorchModel",
    "TrainingData",
    "Transform",
    "TuneloopError",
    "UndefinedMetricError",
    "UnknownPluginError",
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
