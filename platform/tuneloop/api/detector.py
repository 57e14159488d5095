"""What notices that answers got worse, from the labels that came back."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal, TypeAlias

from tuneloop.api.plugin import Plugin

Change: TypeAlias = Literal["rise", "fall"]
"""Which way the error went. Only a rise is harm: a fall is written down and alarms nobody."""


class Detector(Plugin):
    '''Reads the error of one answer after the other and says when it changed, and in which direction.

    ```python
    class RunOfErrors(Detector):
        """A row of answers that are all wrong."""

        name = "run-of-errors"

        class Options(pydantic.BaseModel, extra="forbid"):
            length: int = pydantic.Field(20, ge=2, description="Wrong answers in a row that are too many.")

        def __init__(self, options=None):
            super().__init__(options)
            self.run = self.rows = 0
            self.total = 0.0

        def update(self, error):
            self.rows, self.total = self.rows + 1, self.total + error
            self.run = self.run + 1 if error >= 0.5 else 0
            return "rise" if self.run >= self.options.length else None

        def mean(self):
            return self.total / self.rows if self.rows else 0.0

    detector = RunOfErrors()
    assert [detector.update(1.0) for _ in range(20)][-1] == "rise"
    ```

    An instance watches one version of a model, until it says that something changed: then a new one goes on from there.
    No instance is ever stored. The outcomes are, in the order in which they were read, and after a restart or a
    corrected label a new instance reads them again: what it says must follow from what it read, and from nothing else,
    no clock and no random number.
    '''

    @abstractmethod
    def update(self, error: float) -> Change | None:
        """Read the next outcome.

        Args:
            error: 0 (right) to 1 (as wrong as can be): 0 or 1 for labels; for values the absolute error over twice the
                0.9 quantile of those on the holdout, 1 at most.

        Returns:
            `"rise"` or `"fall"` where this outcome shows a change, else None.
        """

    @abstractmethod
    def mean(self) -> float:
        """The mean error as of now, 0 to 1, of what it holds for unchanged; 0 before the first outcome."""
