from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tuneloop.monitoring.chunks import CHUNK, chunks, few_sizes


@given(st.integers(0, 3 * CHUNK))
def test_chunks_keep_all_items_in_order(count: int) -> None:
    items = list(range(count))
    for cut in (chunks, few_sizes):
        found = list(cut(items))
        assert [one for part in found for one in part] == items
        assert all(0 < len(part) <= CHUNK for part in found)
    assert {len(part) for part in few_sizes(items)} <= {500, 100, 20, 4, 1}
