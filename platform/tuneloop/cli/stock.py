"""What a task's tuneloop.yaml says where nothing else is known."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stock:
    """What a task's file says where no data was given.

    Attributes:
        source: Where rows come from.
        role: What the input column is called in `data.columns`; None: every column but the target is an input.
        text: The input column's name.
        target: The column of answers.
        key: The column that decides where a row goes; None: the whole row does.
        model: Lines below `model:`; a tab begins a comment.
        strategy: The strategy; a tab begins a comment.
        epochs: At most.
        tune: More lines below `tune:`.
        patience: Epochs without a better value of the first metric, after which training ends.
        metrics: The first one ends training early and decides the gate.
        require: What a version must reach, at least; at most where less is better.
        margin: How much worse than the champion is accepted.
        at_most: Less of the first metric is better, and what is good depends on the data: `require` is a comment.
        written: Answers are texts that are written, which takes too long after each epoch: no metric ends training.
    """

    source: str
    role: str | None
    text: str | None
    target: str
    key: str | None
    model: tuple[str, ...]
    strategy: str
    epochs: int
    tune: tuple[str, ...]
    patience: int
    metrics: tuple[str, ...]
    require: float
    margin: float
    at_most: bool = False
    written: bool = False

    def model_lines(self) -> str:
        """What stands below `model:`."""
        return _indented(self.model)

    def tune_lines(self) -> str:
        """What stands below `tune:`."""
        stop = f"early_stopping: {{metric: {self.metrics[0]}, patience: {self.patience}}}"
        if self.written:
            more = f"by perplexity; with metric: {self.metrics[0]} texts are written to stop by"
            stop = f"early_stopping: {{patience: {self.patience}}}\t# {more}"
        return _indented((f"strategy: {self.strategy}", f"epochs: {self.epochs}", *self.tune, stop))

    def gate_lines(self) -> str:
        """What stands below `gate:`."""
        metric = self.metrics[0]
        require = f"require: {{{metric}: {self.require}}}"
        if self.at_most:
            kind = "for an error: " if metric == "rmse" else ""
            require = f"# {require}\t# {kind}a version above this is refused"
        else:
            require += "\t# a version below this is refused"
        champion = f"champion: {{metric: {metric}, margin: {self.margin}}}"
        return _indented((require, f"{champion}\t# nor may it be this much worse than what serves now"))


def _indented(lines: tuple[str, ...]) -> str:
    return "\n".join(f"  {line}" for line in lines)
