"""Metrics among the built-ins pass the contract tests that strangers run."""

from __future__ import annotations

import tuneloop_jiwer
import tuneloop_sacrebleu
import tuneloop_seqeval
import tuneloop_torchmetrics
from tuneloop.api.testing import (
    MetricContract,
)

METRICS = (tuneloop_torchmetrics, tuneloop_seqeval, tuneloop_sacrebleu, tuneloop_jiwer)


for _cls in (metric for plugin in METRICS for metric in plugin.tuneloop_metrics()):
    globals()[f"Test{_cls.__name__}"] = type(f"Test{_cls.__name__}", (MetricContract,), {"plugin": _cls})
