"""Batch scoring: whole files through the predictor that also serves, resumable at any moment."""

from tuneloop.serving.offline.job import BatchJob, BatchResult, OnError
from tuneloop.serving.offline.pace import Pace
from tuneloop.serving.offline.run import score_files

__all__ = ["BatchJob", "BatchResult", "OnError", "Pace", "score_files"]
