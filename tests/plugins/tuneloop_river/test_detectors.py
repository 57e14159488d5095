"""How often the detectors are wrong, and how soon they are right, on simulated outcomes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tuneloop.api import Detector
from tuneloop_river import Adwin, PageHinkley

CALM = 5000


def rises(kind: type[Detector], errors: list[float]) -> list[int]:
    """Places at which a rise is told; after each change a new detector goes on."""
    detector, found = kind(), []
    for place, error in enumerate(errors):
        said = detector.update(error)
        if said == "rise":
            found.append(place)
        if said is not None:
            detector = kind()
    return found


def outcomes(seed: int, *parts: tuple[int, float]) -> list[float]:
    random = np.random.default_rng(seed)
    return [float(one) for rows, share in parts for one in random.random(rows) < share]


@pytest.mark.parametrize("kind", [Adwin, PageHinkley])
def test_false_alarms_are_rare(kind: type[Detector]) -> None:
    """Half a million outcomes of each share of errors; one false alarm is expected in all, at the largest share."""
    for share, most in ((0.02, 1), (0.1, 1), (0.3, 5)):
        told = sum(len(rises(kind, outcomes(seed, (100_000, share)))) for seed in range(5))
        assert told <= most, f"{told} false alarms at {share}"


@pytest.mark.parametrize(("kind", "labels"), [(Adwin, (1500, 500, 200)), (PageHinkley, (2000, 700, 300))])
def test_a_rise_is_told_soon(kind: type[Detector], labels: tuple[int, ...]) -> None:
    for rise, most in zip((0.05, 0.1, 0.2), labels, strict=True):
        delays = []
        for seed in range(15):
            found = [place - CALM for place in rises(kind, outcomes(seed, (CALM, 0.1), (CALM, 0.1 + rise)))]
            assert found, f"a rise by {rise} was not told"
            assert found[0] >= 0
            delays.append(found[0])
        assert np.median(delays) < most, f"a rise by {rise} was told after {np.median(delays)} labels"


@pytest.mark.parametrize("kind", [Adwin, PageHinkley])
def test_values_that_get_worse_are_noticed(kind: type[Detector]) -> None:
    """Errors of a regression, over twice the 0.9 quantile of the holdout's, that become twice as large."""
    random = np.random.default_rng(0)
    scale = 2 * np.quantile(np.abs(random.normal(size=5000)), 0.9)
    sizes = np.abs(np.concatenate([random.normal(size=20_000), 2 * random.normal(size=2000)])) / scale
    (first, *_) = rises(kind, np.minimum(sizes, 1).tolist())
    assert 20_000 < first < 20_400


def test_without_the_library_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['river'] = None; from tuneloop_river import Adwin; Adwin()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "detector 'adwin' needs the Python package 'river'" in done.stderr
    assert "pip install 'tuneloop[loop]'" in done.stderr
