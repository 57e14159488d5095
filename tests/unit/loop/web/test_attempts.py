from __future__ import annotations

from tuneloop.loop.web.attempts import MOST_FAILURES, WINDOW, Attempts


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_who_fails_too_often_waits_and_nobody_else() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(MOST_FAILURES):
        assert attempts.wait("a") == 0
        attempts.failed("a")
        clock.now += 1
    assert attempts.wait("a") == WINDOW - MOST_FAILURES
    assert attempts.wait("b") == 0
    clock.now = WINDOW
    assert attempts.wait("a") == 0
    attempts.failed("a")
    assert attempts.wait("a") == 1


def test_many_senders_take_bounded_memory() -> None:
    attempts = Attempts(Clock())
    for number in range(5000):
        attempts.failed(str(number))
    assert len(attempts._failures) == 1000
