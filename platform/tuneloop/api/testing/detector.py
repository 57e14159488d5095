"""The contract of detectors."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.api.detector import Detector
from tuneloop.api.plugin import Plugin
from tuneloop.api.testing.plugin import PluginContract

SAYS = (None, "rise", "fall")
_CALM, _LATER = 4000, 4000
_SECONDS = 0.001


class DetectorContract(PluginContract):
    """Set `plugin`.

    Attributes:
        notices: Whether it must say "rise" within 4,000 outcomes when the share of errors goes from 5 % to 80 %.
    """

    kind: ClassVar[type[Plugin]] = Detector
    notices: ClassVar[bool] = True

    def test_what_it_says(self) -> None:
        """It says "rise", "fall" or nothing, whatever it reads, and its mean stays between 0 and 1."""

        @settings(max_examples=40, deadline=None, database=None, derandomize=True)
        @given(st.lists(st.floats(0, 1), max_size=300))
        def holds(errors: list[float]) -> None:
            detector = self.create()
            self._check_mean(detector.mean())
            for error in errors:
                said = detector.update(error)
                assert said in SAYS, f"update gave {said!r}; give 'rise', 'fall' or None"
                self._check_mean(detector.mean())

        holds()

    def test_it_can_be_rebuilt(self) -> None:
        """Equal outcomes, equal words: it is rebuilt from the outcomes after every restart."""
        for errors in (_errors(1, 0.1, 0.1), _errors(2, 0.05, 0.8), np.random.default_rng(3).random(2000).tolist()):
            place = _first_difference(self._words(errors), self._words(errors))
            assert place is None, f"two instances that read equal outcomes said different things at outcome {place}"

    def test_instances_share_nothing(self) -> None:
        """Each version of a model has one of its own."""
        errors = _errors(4, 0.05, 0.8)
        alone = self._words(errors)
        mine, other, said = self.create(), self.create(), []
        for error in errors:
            other.update(1.0 - error)
            said.append(mine.update(error))
            if said[-1] is not None:
                mine = self.create()
        place = _first_difference(said, alone)
        assert place is None, f"what another instance reads changes what this one says, at outcome {place}"

    def test_it_notices(self) -> None:
        """A share of errors that goes from 5 % to 80 % is a rise, and is said after it began."""
        if not self.notices:
            return
        told = self._first(_errors(5, 0.05, 0.8))
        assert told is not None, f"nothing was said within {_LATER} outcomes after the errors rose from 5 % to 80 %"
        place, said = told
        assert said == "rise", f"the errors rose and it said {said!r}"
        assert place >= _CALM, f"it said {said!r} at outcome {place}, before the errors rose at {_CALM}"

    def test_less_errors_are_no_rise(self) -> None:
        """A share of errors that goes from 30 % to 5 % is no harm."""
        told = self._first(_errors(6, 0.3, 0.05))
        assert told is None or told[1] == "fall", f"the errors fell and it said {told[1]!r} at outcome {told[0]}"

    def test_it_is_quick(self) -> None:
        """A hundred thousand outcomes are read again at a start: less than a millisecond each."""
        detector, errors = self.create(), _errors(7, 0.1, 0.1)[:1000]
        begun = time.process_time()
        for error in errors:
            detector.update(error)
        each = (time.process_time() - begun) / len(errors)
        assert each < _SECONDS, f"one outcome takes {each * 1000:.1f} ms"

    def _words(self, errors: Iterable[float]) -> list[str | None]:
        """What is said of each outcome; after a change a new instance goes on, as in the loop."""
        detector, said = self.create(), []
        for error in errors:
            said.append(detector.update(error))
            if said[-1] is not None:
                detector = self.create()
        return said

    def _first(self, errors: Iterable[float]) -> tuple[int, str] | None:
        detector = self.create()
        words = ((place, detector.update(error)) for place, error in enumerate(errors))
        return next(((place, said) for place, said in words if said is not None), None)

    def _check_mean(self, mean: float) -> None:
        assert isinstance(mean, float), f"mean gave a {type(mean).__name__}; give a float"
        assert math.isfinite(mean), f"mean gave {mean}"
        assert -1e-9 <= mean <= 1 + 1e-9, f"mean gave {mean}, and errors are between 0 and 1"


def _first_difference(first: Sequence[str | None], second: Sequence[str | None]) -> int | None:
    """Where two lists differ first: pytest itself, which explains all of it in CI, takes minutes for thousands."""
    return next((i for i, (one, other) in enumerate(zip(first, second, strict=True)) if one != other), None)


def _errors(seed: int, before: float, after: float) -> list[float]:
    """Outcomes 0 or 1 whose share of errors changes after 4,000 of 8,000."""
    random = np.random.default_rng(seed)
    parts = ((random.random(n) < share).astype(float).tolist() for n, share in ((_CALM, before), (_LATER, after)))
    return list(itertools.chain.from_iterable(parts))
