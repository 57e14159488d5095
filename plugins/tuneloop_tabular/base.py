"""Base model `tabular-mlp`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pydantic

from tuneloop.api import (
    ArtifactError,
    BaseModel,
    MissingExtraError,
    PluginError,
    Preprocessor,
    PreprocessorChoice,
    Task,
)

_WEIGHTS = "model.safetensors"


class TabularMlpOptions(pydantic.BaseModel):
    """Options of base model `tabular-mlp`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    hidden: tuple[Annotated[int, pydantic.Field(ge=1, le=4096)], ...] = pydantic.Field(
        (128, 64), min_length=1, max_length=16, description="Sizes of the hidden layers, from the inputs up."
    )
    dropout: float = pydantic.Field(0.1, ge=0, lt=1, description="Dropout after every hidden layer.")
    scale: Literal["standard", "robust", "minmax", "quantile", "none"] = pydantic.Field(
        "standard",
        description="How numbers are scaled: by mean and standard deviation; by median and interquartile range, which "
        "outliers do not move; to 0 and 1; by where they stand among quantiles of the training rows; or not at all. "
        "`quantile` gives each piece between two quantiles weights of its own, which makes the model about as good as "
        "boosted trees; it costs more time.",
    )
    pieces: int = pydantic.Field(
        64, ge=1, le=1024, description="With `scale: quantile`: into how many pieces a column is divided, at most."
    )
    piece_width: int = pydantic.Field(
        16, ge=1, le=256, description="With `scale: quantile`: how many numbers the network makes of each column."
    )
    impute: Literal["mean", "median", "zero"] = pydantic.Field(
        "mean", description="What a missing number becomes; a second input tells the model that it was missing."
    )
    components: Annotated[int, pydantic.Field(ge=1)] | Annotated[float, pydantic.Field(gt=0, lt=1)] | None = (
        pydantic.Field(
            None,
            description="Replace the numbers by so many principal components, or by as many as hold this share of "
            "their variance; by default they stay.",
        )
    )

    @pydantic.model_validator(mode="after")
    def _no_pieces_of_components(self) -> Self:
        if self.scale == "quantile" and self.components is not None:
            raise ValueError("components are made of scaled numbers, not of their places: name another scale")
        return self


class TabularMlp(BaseModel):
    """A multi-layer perceptron over scaled numbers and one embedding a categorical column."""

    name = "tabular-mlp"
    framework = "torch"
    tasks = frozenset({"tabular-classification", "tabular-regression"})
    warm_start = False
    Options = TabularMlpOptions

    options: TabularMlpOptions

    def preprocessor(self, root: Path) -> PreprocessorChoice:  # noqa: ARG002
        """The `tabular` preprocessor, fitted on the training rows."""
        options = self.options
        chosen: dict[str, Any] = {"scale": options.scale, "impute": options.impute, "components": options.components}
        if options.scale == "quantile":
            chosen["pieces"] = options.pieces
        return PreprocessorChoice("tabular", chosen)

    def build(self, root: Path, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """A network with fresh weights, equal on every call.

        Raises:
            PluginError: The preprocessor makes no tensor this network reads.
        """
        try:
            import torch

            from tuneloop_tabular.network import TableNetwork
        except ImportError as error:
            raise MissingExtraError("base model 'tabular-mlp'", "torch", "train") from error
        widths = {tensor.name: int(tensor.shape[1]) for tensor in preprocessor.tensors if len(tensor.shape) == 2}
        cardinalities = tuple(getattr(preprocessor, "cardinalities", ()))
        if not set(widths) & {"numeric", "categorical"}:
            raise PluginError(
                f"base model {self.name!r} reads the tensors 'numeric' and 'categorical'; preprocessor "
                f"{preprocessor.name!r} makes: {', '.join(widths) or 'none'}"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return TableNetwork(
                widths.get("numeric", 0),
                cardinalities,
                self.options.hidden,
                len(task.output_names),
                self.options.dropout,
                pieces=tuple(getattr(preprocessor, "pieces", ())),
                piece_width=self.options.piece_width,
            ).eval()

    def save(self, model: Any, task: Task, folder: Path) -> None:  # noqa: ARG002
        """Write the weights; the sizes follow from options, task and preprocessor."""
        from safetensors.torch import save_file

        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}, folder / _WEIGHTS
        )

    def load(self, folder: Path, task: Task, preprocessor: Preprocessor) -> Any:
        """The inverse of `save`, for a task with the same outputs.

        Raises:
            ArtifactError: The weights are absent, or belong to other sizes.
        """
        model = self.build(folder, task, preprocessor)
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            model.load_state_dict(load_file(folder / _WEIGHTS))
        except (OSError, RuntimeError, ValueError, SafetensorError) as error:
            raise ArtifactError(f"{folder / _WEIGHTS} does not fit base model {self.name!r}: {error}") from error
        return model
