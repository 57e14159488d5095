"""Base model `causal-lm`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import BaseModel, Preprocessor, PreprocessorChoice, Task
from tuneloop_transformers.backbone import require
from tuneloop_transformers.checkpoint import Checkpoint, find_checkpoint
from tuneloop_transformers.whole import load_whole, read_whole, save_whole

_PART = "base model 'causal-lm'"


class CausalOptions(pydantic.BaseModel):
    """Options of base model `causal-lm`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    checkpoint: str = pydantic.Field(
        min_length=1,
        description="A local folder (relative to the project folder) with config.json, safetensors weights and "
        "tokenizer.json, or the name of a model on the Hugging Face hub.",
    )
    revision: str | None = pydantic.Field(
        None, description="Branch, tag or commit of a hub model; a commit makes runs repeatable."
    )
    max_length: int = pydantic.Field(
        512, ge=8, le=131_072, description="Tokens of prompt and answer together, at most; longer rows are cut."
    )
    max_tokens: int = pydantic.Field(64, ge=1, description="Tokens generated where a request does not say how many.")
    separator: str = pydantic.Field(
        "\n", description="Stands between a prompt and its answer, where `data.columns` names a `label`."
    )
    pack: bool = pydantic.Field(
        False, description="In training, let several short rows share a sequence, in which none sees another."
    )


class CausalLM(BaseModel):
    """A pre-trained language model, such as GPT-2, Llama or Qwen2, that goes on with a text."""

    name = "causal-lm"
    framework = "torch"
    tasks = frozenset({"text-generation"})
    warm_start = True
    Options = CausalOptions

    options: CausalOptions

    def preprocessor(self, root: Path) -> PreprocessorChoice:
        """The `prompt` preprocessor with the checkpoint's tokenizer, its end tokens and its chat template."""
        require(_PART)
        from tuneloop_transformers.prompts import prompt_options

        options = prompt_options(self._checkpoint(root), self.options.max_length)
        said = {"max_tokens": self.options.max_tokens, "separator": self.options.separator}
        return PreprocessorChoice("prompt", options | said)

    def files(self, root: Path) -> Sequence[Path]:
        """The files of a checkpoint in a folder; of a hub model the options name the revision."""
        return self._checkpoint(root).files

    def build(self, root: Path, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """The checkpoint's language model in float32; equal on every call.

        Raises:
            PluginError: The checkpoint cannot be read, or lacks weights.
        """
        require(_PART)
        from transformers import AutoModelForCausalLM

        from tuneloop_transformers.causal_network import CausalNetwork

        checkpoint = self._checkpoint(root)
        model = read_whole(checkpoint, AutoModelForCausalLM, "it is no whole language model")
        if self.options.pack:
            from tuneloop_transformers.packing import check_packing

            check_packing(model.eval(), checkpoint.name)
        return CausalNetwork(model, self.options.pack).eval()

    def save(self, model: Any, task: Task, folder: Path) -> None:  # noqa: ARG002
        """Write config.json and model.safetensors."""
        save_whole(model, folder)

    def load(self, folder: Path, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """Rebuild a saved model without its checkpoint.

        Raises:
            ArtifactError: The folder is not what `save` writes.
        """
        require(_PART)
        from transformers import AutoModelForCausalLM

        from tuneloop_transformers.causal_network import CausalNetwork

        return load_whole(folder, AutoModelForCausalLM, lambda model: CausalNetwork(model, self.options.pack))

    def _checkpoint(self, root: Path) -> Checkpoint:
        return find_checkpoint(root, self.options.checkpoint, self.options.revision)
