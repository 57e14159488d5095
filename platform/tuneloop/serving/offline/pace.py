"""How far a job is, how fast, and how long it will take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Progress of a job.

    Attributes:
        rows: Rows finished, those of earlier attempts too.
        refused: Records refused among them.
        done: Share of the input, 0 to 1.
        seconds: Since this attempt began.
        fresh_rows: Rows finished by this attempt.
        fresh_done: Share of the input finished by this attempt.
    """

    rows: int
    refused: int
    done: float
    seconds: float
    fresh_rows: int
    fresh_done: float

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.fresh_rows / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds to the end, if it goes on as until now; None where that is not known yet."""
        if self.fresh_done <= 0:
            return None
        return max(1 - self.done, 0.0) * self.seconds / self.fresh_done
