"""Of processes that ended one after the other, the one that ended the rest is named."""

import signal

from tuneloop_launch.supervise import causes_first

KILL, ABORT, TERM = -signal.SIGKILL, -signal.SIGABRT, -signal.SIGTERM


def ranks(*failures):
    return [failure["rank"] for failure in causes_first(failures)]


def test_what_was_killed_comes_before_what_was_aborted_for_want_of_it():
    assert causes_first([(0, ABORT, 100), (1, KILL, 100)]) == [{"rank": 1, "code": KILL}, {"rank": 0, "code": ABORT}]


def test_what_torchrun_stopped_comes_last():
    assert ranks((0, TERM, 100), (1, TERM, 101), (2, ABORT, 101)) == [2, 0, 1]


def test_a_process_that_torchrun_had_to_kill_long_after_is_no_cause():
    assert ranks((0, KILL, 130), (1, ABORT, 100)) == [1, 0]


def test_the_first_of_equal_endings_comes_first():
    assert ranks((0, KILL, 102), (1, KILL, 101)) == [1, 0]
    assert causes_first([]) == []
