"""How it is fine-tuned."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from tuneloop.api.errors import PluginError
from tuneloop.api.plugin import Plugin
from tuneloop.api.types import Arrays, LossName, Tensor

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a strategy trains on.

    Attributes:
        train: Columns: one a tensor (rows unpadded), `labels` (see `Task.targets`), `length`; and `teacher` where the
            strategy has one (see `Strategy.teacher`).
        validation: The same; picks the best checkpoint and stops early.
        tensors: The model inputs, with the value that pads each.
        loss: As in `Task.loss`.
        metric: Validation logits `[n, k]` and labels `[n]` to the numbers reported after each epoch.
        best: The name among those numbers that picks the best epoch.
        maximize: Whether more of it is better.
        judge: The model itself to more of those numbers, such as metrics of the texts it writes; None: there are none.
            It is called after each epoch, in evaluation mode, in the first of several processes alone. A strategy that
            calls it has the option `written_rows`, which says for how many rows; others are never given one.
    """

    train: Dataset
    validation: Dataset
    tensors: tuple[Tensor, ...]
    loss: LossName
    metric: Callable[[NDArray[Any], NDArray[Any]], dict[str, float]]
    best: str
    maximize: bool
    judge: Callable[[Any], Mapping[str, float]] | None = None


@dataclass(frozen=True, slots=True)
class FitResult:
    """What a strategy reports.

    Attributes:
        history: One record an epoch: `epoch`, `loss`, and the validation metrics.
        best_epoch: The epoch whose weights were kept.
    """

    history: tuple[Mapping[str, float], ...]
    best_epoch: float


class Strategy(Plugin):
    """How a model is fine-tuned: what is trainable when, and the training loop.

    ```python
    class LeastSquares(Strategy):
        'The weights of a linear model in one step.'

        name, framework = "least-squares", "numpy"

        def fit(self, model, data, folder, seed, progress):
            rows = np.asarray(data.train["numeric"])
            targets = np.asarray(data.train["labels"])[:, None]
            model[:] = np.linalg.lstsq(rows, targets, rcond=None)[0]
            inputs = {"numeric": np.asarray(data.validation["numeric"])}
            metrics = data.metric(self.outputs(model, inputs)["logits"], np.asarray(data.validation["labels"]))
            record = {"epoch": 1.0, "loss": float(np.mean((rows @ model - targets) ** 2)), **metrics}
            progress(record)
            return FitResult(history=(record,), best_epoch=1.0)

        def outputs(self, model, inputs):
            return {"logits": (inputs["numeric"] @ model).astype(np.float32)}
    ```
    """

    framework: ClassVar[str]
    """What base models must fit, such as `torch`."""
    distributed: ClassVar[bool] = False
    """Whether the processes of a `Launcher` can fit one model together.

    Then `fit` is called in each process of torch's default group, with equal arguments (`folder` may lie on another
    machine), and ends with equal weights in all of them; the first process writes checkpoints and tells `progress`.
    The options mean what they mean in one process: the same rows make each step.
    """

    @abstractmethod
    def fit(
        self,
        model: Any,
        data: TrainingData,
        folder: Path,
        seed: int,
        progress: Callable[[Mapping[str, float]], None],
    ) -> FitResult:
        """Train the model in place.

        Args:
            model: As `BaseModel.build` made it.
            data: Encoded rows.
            folder: Checkpoints go here. What is found here is an earlier, killed call with equal arguments: go on
                from its last whole checkpoint, and end with the same weights as if it had not been killed.
            seed: Of all random numbers.
            progress: Called with each record of the history.
        """

    def teacher(self, root: Path) -> Path | None:  # noqa: ARG002
        """The folder of an artifact to learn from, for the same task; None: there is none.

        Where there is one, `TrainingData.train` has the column `teacher`: the logits of its graph for each row, `[k]`,
        or `[words, k]` with `ABSENT` behind a row's last word; in the order of this task's outputs, and for values on
        the scale of its targets.

        Args:
            root: The project folder, for relative paths.
        """
        return None

    def unused(self) -> Mapping[str, str]:
        """Options that change nothing beside the others given, and why: a search over one is refused."""
        return {}

    def outputs(self, model: Any, inputs: Arrays) -> Arrays:  # noqa: ARG002
        """What a tuned model answers for one batch, before export: `verify` holds the exported graph against it.

        A strategy without this method can be fitted, but no pipeline can be run with it.

        Args:
            model: As `BaseModel.load` gives it.
            inputs: One array a tensor of the preprocessor; all rows have one length, so nothing is padded.

        Returns:
            `logits float32 [n, k]` (or `[n, places, k]`), and `embedding float32 [n, d]` where the model has one.
            All in row order.

        Raises:
            PluginError: This strategy cannot run its models.
        """
        raise PluginError(
            f"strategy {self.name!r} cannot run a tuned model of framework {self.framework!r}: "
            "its class must have the method `outputs` of tuneloop.api.Strategy"
        )

    def features(self, model: Any, data: Dataset, tensors: tuple[Tensor, ...]) -> NDArray[Any]:  # noqa: ARG002
        """The frozen backbone's output `float32 [n, d]`, for the baseline probe; see `TorchModel.features`.

        Raises:
            PluginError: This strategy's framework has no separate backbone.
        """
        raise PluginError(f"strategy {self.name!r} cannot read features of a frozen backbone")
