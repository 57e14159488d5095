"""Which classes and labels are shown where there are too many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tuneloop.report import LabelRow
from tuneloop.report.confusion import worst_classes, worst_labels


@st.composite
def matrices(draw: st.DrawFn) -> list[list[int]]:
    size = draw(st.integers(1, 9))
    row = st.lists(st.integers(0, 5), min_size=size, max_size=size)
    return draw(st.lists(row, min_size=size, max_size=size))


@given(matrices(), st.integers(1, 9))
def test_no_answer_is_lost_and_the_worst_classes_have_their_own_row(counts: list[list[int]], most: int) -> None:
    size = len(counts)
    found = worst_classes([str(place) for place in range(size)], counts, most)
    assert sum(map(sum, found.counts)) == sum(map(sum, counts))
    if size <= most:
        assert found.labels == tuple(str(place) for place in range(size))
        assert [list(row) for row in found.counts] == counts
        assert found.summed == 0
        return
    own = [int(label) for label in found.labels[:-1]]
    rest = sorted(set(range(size)) - set(own))
    assert (len(own), len(rest)) == (most, found.summed)

    def errors(place: int) -> int:
        return sum(counts[place]) + sum(row[place] for row in counts) - 2 * counts[place][place]

    assert [errors(place) for place in own] == sorted(map(errors, own), reverse=True)
    assert errors(own[-1]) >= max(map(errors, rest))
    assert [[found.counts[i][j] for j in range(most)] for i in range(most)] == [
        [counts[i][j] for j in own] for i in own
    ]
    assert found.counts[0][-1] == sum(counts[own[0]][j] for j in rest)
    assert found.counts[-1][0] == sum(counts[i][own[0]] for i in rest)
    assert found.counts[-1][-1] == found.right + found.mixed
    assert found.right == sum(counts[place][place] for place in rest)


def test_the_last_one_is_called_after_how_many_it_sums_up() -> None:
    counts = [[3, 0, 0], [0, 1, 2], [1, 0, 4]]
    assert worst_classes("abc", counts, 2).labels == ("c", "b", "1 other")
    assert worst_classes("abc", counts, 1).labels == ("c", "2 others")
    assert worst_classes("abc", counts, 1).counts == ((4, 1), (2, 4))


def test_labels_with_most_errors_come_first() -> None:
    rows = [LabelRow("good", 9, 0, 1, 5), LabelRow("bad", 1, 4, 3, 7), LabelRow("missed", 0, 5, 0, 10)]
    assert [one.name for one in worst_labels(rows, 2)] == ["bad", "missed"]
