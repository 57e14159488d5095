"""What training is, in whichever process it happens: the strategy, on the encoded rows, judged by the metrics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.api import BaseModel, FitResult, Preprocessor, Report, Strategy, Task, TrainingData
from tuneloop.config.texts import PERPLEXITY
from tuneloop.pipeline.data.quoted import quoted_rows
from tuneloop.pipeline.data.rows import open_rows
from tuneloop.pipeline.evaluating.scoring import Scorer, decoded, judge, stopping_metric
from tuneloop.pipeline.evaluating.written import perplexity
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.step import StepContext
from tuneloop.pipeline.tuning.baseline import PLACED
from tuneloop.pipeline.tuning.teaching import taught
from tuneloop.pipeline.tuning.texts import text_judge
from tuneloop.tasks.written import writes

if TYPE_CHECKING:
    from datasets import Dataset


class Training:
    """The objects a training works with, rebuilt from the folders of the steps before it."""

    def __init__(self, context: StepContext) -> None:
        self._context = context
        self.base: BaseModel = parts.base_model(context)
        self.strategy: Strategy = parts.strategy(context, self.base)
        self.task: Task = parts.load_task(context)
        self.preprocessor: Preprocessor = parts.load_preprocessor(context)
        # Before a model is made: its fresh head is then the same in every attempt.
        parts.seed_everything(context.project.tune.seed)

    def fit(self, model: Any, checkpoints: Path, report: Report) -> FitResult:
        """Train the model in place.

        Args:
            model: As the base model built or loaded it.
            checkpoints: A folder; what is found there is gone on from.
            report: Told each record of the history.
        """
        return self.strategy.fit(model, self._data(), checkpoints, self._context.project.tune.seed, report)

    def rows(self) -> Dataset:
        """The encoded training rows, with what a teacher answers on them where the strategy has one."""
        return taught(self._context, self.strategy, self.task, open_rows(self._context.file("baseline", "train")))

    def _data(self) -> TrainingData:
        context, task = self._context, self.task
        scorer = Scorer(context.project, context.plugins)
        quoted = None
        if task.loss == "span":
            placed = context.done["baseline"].output[PLACED]["validation"]
            quoted = quoted_rows(context, "validation", self.preprocessor, placed)

        def metric(logits: Any, labels: Any) -> dict[str, float]:
            if quoted is not None:
                rows, values = quoted
                # Each epoch is judged as its model would be served.
                settled = task.settle(rows, {"logits": logits}, values)
                return scorer.score(*judge(settled, {"logits": logits}, values, rows), (scorer.stopping,))
            return scorer.score(*decoded(task, logits, labels), (scorer.stopping,))

        written = writes(task)
        best = stopping_metric(context.project) or PERPLEXITY if written else scorer.stopping
        return TrainingData(
            train=self.rows(),
            validation=open_rows(context.file("baseline", "validation")),
            tensors=self.preprocessor.tensors,
            loss=task.loss,
            metric=(lambda logits, _: perplexity(logits)) if written else metric,
            best=best,
            maximize=best in scorer.metrics and scorer.maximize(best),
            judge=text_judge(context, task, self.preprocessor),
        )
