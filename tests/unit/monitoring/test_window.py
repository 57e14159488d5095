from __future__ import annotations

from collections import deque

import pytest

from tuneloop.monitoring.window import SampleWindow, increase


def samples(*pairs: tuple[float, float]) -> deque[tuple[float, float]]:
    return deque(pairs)


def test_increase_is_what_prometheus_says() -> None:
    """Figures of PromQL's own definition: 40 samples, one each 15 s, in a window of 600 s."""
    steady = samples(*((15.0 * i, 10.0 * i + 1000) for i in range(41)))
    assert increase(steady, 0, 600) == pytest.approx(400)
    late = samples(*((15.0 * i + 10, 10.0 * i + 1000) for i in range(40)))
    assert increase(late, 0, 600) == pytest.approx(400)
    from_zero = samples((300, 0), (315, 10), (330, 20))
    assert increase(from_zero, 0, 330) == pytest.approx(20)
    joined = samples((300, 5000), (315, 5010), (330, 5020))
    assert increase(joined, 0, 330) == pytest.approx(25)


def test_a_reset_is_no_fall() -> None:
    reset = samples((0, 100), (10, 110), (20, 5), (30, 15), (40, 25))
    assert increase(reset, 0, 40) == pytest.approx(35)


def test_one_sample_says_nothing() -> None:
    assert increase(samples((5, 3)), 0, 10) is None
    assert increase(samples(), 0, 10) is None


def test_old_samples_and_series_are_forgotten() -> None:
    window = SampleWindow(10)
    series = ("hits", (("bin", "low"),))
    for time in range(15):
        window.add(float(time), {series: float(time)} if time < 5 else {})
        window.expire(float(time))
    assert window.increases(14.0, "hits") == {}
    window.add(14.0, {series: 9.0})
    assert window.increases(14.0, "hits") == {(("bin", "low"),): pytest.approx(5.5, abs=0.6)}
    window.expire(50.0)
    assert window._samples == {}


def test_samples_are_thinned_and_no_reset_is_lost() -> None:
    """A sample in two minutes is kept of one in ten seconds; between them the counter begins again twice."""
    every, some = SampleWindow(3600), SampleWindow(3600, 120)
    series = ("hits", ())
    value = 0.0
    for step in range(360):
        value = 0.0 if step in (103, 107) else value + 3
        for window in (every, some):
            window.add(step * 10.0, {series: value})
    full, thin = (window.increases(3590.0, "hits")[()] for window in (every, some))
    assert full == pytest.approx(3 * 358, rel=0.002)
    assert thin == pytest.approx(full, rel=0.002)
    assert len(some._samples[series]) <= 33
    assert some._samples[series][-1][0] == 3590
