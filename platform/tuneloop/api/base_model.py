"""What is fine-tuned."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from tuneloop.api.plugin import Plugin
from tuneloop.api.preprocessor import Preprocessor, PreprocessorChoice
from tuneloop.api.task import Task
from tuneloop.api.types import LossName

TARGET_IDS, SCORED = "target_ids", "scored"
"""Inputs of models that write texts: the tokens of an answer, and which of them are asked for."""


class BaseModel(Plugin):
    """What is fine-tuned: a pre-trained model, its preprocessor and its framework.

    ```python
    class Linear(BaseModel):
        'A matrix of weights.'

        name, framework, tasks = "linear", "numpy", frozenset({"tabular-regression"})

        def preprocessor(self, root):
            return PreprocessorChoice("tabular", {})

        def build(self, root, task, preprocessor):
            return np.zeros((preprocessor.tensors[0].shape[1], len(task.output_names)), np.float32)

        def save(self, model, task, folder):
            from safetensors.numpy import save_file

            save_file({"weights": model}, folder / "model.safetensors")

        def load(self, folder, task, preprocessor):
            from safetensors.numpy import load_file

            return load_file(folder / "model.safetensors")["weights"]
    ```

    With `framework = "torch"` a model has the parts of `TorchModel`.
    """

    framework: ClassVar[str]
    """What strategies and exporters must fit, such as `torch`."""
    tasks: ClassVar[frozenset[str]]
    """Names of the tasks it can be tuned for."""
    warm_start: ClassVar[bool] = False
    """Whether `load` accepts a task with more outputs than were saved."""
    loss: ClassVar[LossName | None] = None
    """By what it learns a task that has several forms (`Task.trained_by`); None: by that of the task."""

    @abstractmethod
    def preprocessor(self, root: Path) -> PreprocessorChoice:
        """The preprocessor this model was trained with. `root` is the project folder, for relative paths."""

    def files(self, root: Path) -> Sequence[Path]:  # noqa: ARG002
        """The local files the model is made from, such as a checkpoint; `root` is the project folder.

        A run hashes them: other content under the same path is another model, and no earlier result is taken for it.
        """
        return ()

    def answering(self, task: Task) -> Task:
        """The fitted task with what this model's options say about its answers; by default as it is."""
        return task

    @abstractmethod
    def build(self, root: Path, task: Task, preprocessor: Preprocessor) -> Any:
        """The model with its pre-trained weights and a fresh head for the task."""

    @abstractmethod
    def save(self, model: Any, task: Task, folder: Path) -> None:
        """Write the weights (safetensors) and what `load` needs into the empty folder."""

    @abstractmethod
    def load(self, folder: Path, task: Task, preprocessor: Preprocessor) -> Any:
        """The inverse of `save`. Head rows are matched by output name; new outputs start fresh.

        Needs nothing but the folder: the original checkpoint may be gone.
        """


class TorchModel(Protocol):
    """The parts of a model with `framework = "torch"` that strategies and exporters use.

    It is a `torch.nn.Module`: `forward(**inputs)` gives `{"logits": [n, k], "embedding": [n, d]}`. Where each word of a
    row has an answer, logits are `[n, places, k]` and features `[n, places, d]`; places without a word are `ABSENT`.
    """

    head: Any
    """The last layers, a `torch.nn.Module` from features `[n, d]` to logits `[n, k]`."""

    def features(self, **inputs: Any) -> Any:
        """The backbone's pooled output `[n, d]`: what `head` reads."""

    def layer_groups(self) -> list[list[str]]:
        """Names of parameters in groups, from the head down to the embeddings; each name in exactly one."""


class FrameModel(TorchModel, Protocol):
    """The parts of a torch model that gives each frame of a sound a character (CTC), beside those of `TorchModel`."""

    frame_inputs: Sequence[str]
    """The inputs that tell how many frames a sound has."""

    def frames(self, inputs: Mapping[str, Any]) -> Any:
        """How many frames each sound has, `int64 [n]`: a text that needs more of them cannot be learned.

        Args:
            inputs: Arrays of the `frame_inputs` alone, one row a sound.
        """


class DecoderModel(TorchModel, Protocol):
    """The parts of a torch model that generates text, beside those of `TorchModel`.

    `forward(input_ids, attention_mask, scored)` gives as `logits [n, places, 1]` the log-probability of each token
    given those before it, `ABSENT` where `scored` is 0.
    """

    def decoder(self) -> Any:
        """A `torch.nn.Module` with a cache, which exporters trace.

        `forward(input_ids, attention_mask, position_ids, past)`: the new tokens `int64 [n, length]`, the mask over old
        and new ones `int64 [n, total]`, and `past`, keys and values `float32 [n, heads, past, width]` of each layer in
        turn. It gives the logits of the next token `float32 [n, length, vocabulary]`, then the longer keys and values.
        """

    def cache_sizes(self) -> Sequence[tuple[int, int]]:
        """Heads and width of the keys (and values) of each layer."""

    def greedy(self, tokens: Sequence[int], most: int, stops: Sequence[int]) -> list[int]:
        """The most probable continuation, at most so many tokens; ends with the first one of `stops`."""


class EncoderDecoderModel(TorchModel, Protocol):
    """The parts of a torch model that reads a source and writes a text, beside those of `TorchModel`.

    Its inputs are those of a source, such as `input_ids` and `attention_mask`, and two of the answer: `target_ids`
    `int64 [n, places]`, the tokens it begins with and those of the right answer behind them, and `scored` `int64
    [n, places]`, 1 at those whose probability is asked for. `forward(**inputs)` gives as `logits [n, places, 1]` the
    log-probability of each token given the source and the tokens before it, `ABSENT` where `scored` is 0. What fills
    shorter rows has `scored` 0 and stands behind the tokens, so that it changes none of them.

    The engine reads a source once and then writes token by token: see `encoder` and `decoder`. Sources may have any
    length (token ids) or a fixed one (30 seconds of sound): the decoder must take any.
    """

    def encoder(self) -> Any:
        """A `torch.nn.Module` that reads sources, which exporters trace.

        `forward(**source)`: the inputs without `target_ids` and `scored`, as the preprocessor makes them. It gives a
        tuple: the mask of places that hold something `int64 [n, source]`, then what the decoder's cross attention reads
        of them, keys and values `float32 [n, heads, source, width]` of each layer of the decoder in turn.
        """

    def decoder(self) -> Any:
        """A `torch.nn.Module` with a cache, which exporters trace.

        `forward(input_ids, source_mask, past, cross)`: the new tokens `int64 [n, length]`; the encoder's mask and its
        keys and values; and `past`, keys and values `float32 [n, heads, past, width]` of the self attention of each
        layer in turn, whose length tells the place of the first new token. It gives the logits of the next tokens
        `float32 [n, length, vocabulary]`, then the longer `past`.
        """

    def cache_sizes(self) -> Sequence[tuple[int, int]]:
        """Heads and width of the keys (and values) of each layer of the decoder, in self and cross attention alike."""

    def greedy(
        self,
        source: Mapping[str, Any],
        start: Sequence[int],
        most: int,
        stops: Sequence[int],
        *,
        forbidden: Sequence[int] = (),
        forbidden_first: Sequence[int] = (),
    ) -> list[list[int]]:
        """The most probable answer to each source, as torch computes it: what the exported graphs are held against.

        Args:
            source: One array a source input, all rows of one length.
            start: The tokens that answers begin with; they are no part of what is given back.
            most: Tokens of an answer, at most.
            stops: Tokens that end one; the one that does is its last.
            forbidden: Tokens that are never chosen.
            forbidden_first: Tokens that are not chosen first, beside them.
        """
