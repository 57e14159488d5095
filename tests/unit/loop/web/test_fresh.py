from __future__ import annotations

import itertools
import threading

from tuneloop.loop.web.fresh import Fresh


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_value_is_made_anew_when_it_is_too_old_or_forgotten() -> None:
    clock, numbers = Clock(), itertools.count()
    fresh = Fresh(lambda key: (key, next(numbers)), 5.0, clock)
    assert [fresh("a"), fresh("a"), fresh("b")] == [("a", 0), ("a", 0), ("b", 1)]
    clock.now = 5.0
    assert fresh("a") == ("a", 2)
    fresh.forget()
    assert fresh("a") == ("a", 3)


def test_many_who_ask_at_once_cost_as_much_as_one() -> None:
    made: list[int] = []
    fresh = Fresh(lambda: made.append(1), 60.0)
    threads = [threading.Thread(target=fresh) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_many_keys_take_bounded_memory() -> None:
    fresh = Fresh(lambda key: key, 60.0)
    for number in range(500):
        assert fresh(number) == number
    assert len(fresh._values) <= 32
