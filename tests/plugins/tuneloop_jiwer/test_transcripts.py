"""Word and character error rates against jiwer's own functions, and at their edges."""

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import DataError, Predictions
from tuneloop_jiwer import tuneloop_metrics

METRICS = {metric.name: metric for metric in tuneloop_metrics()}
words = st.lists(st.sampled_from(["the", "red", "fox", "is", "here"]), max_size=6).map(" ".join)


def texts(values):
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


@given(st.lists(st.tuples(words, words.filter(bool)), min_size=1, max_size=5))
def test_rates_are_the_librarys(pairs):
    said, right = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    judged = Predictions(texts(said)), texts([(text,) for text in right])
    assert METRICS["wer"]().compute(*judged) == pytest.approx(jiwer.wer(right, said))
    assert METRICS["cer"]().compute(*judged) == pytest.approx(jiwer.cer(right, said))


def test_the_nearest_of_several_right_texts_counts():
    judged = Predictions(texts(["one two three"])), texts([("four five six", "one two tree")])
    assert METRICS["wer"]().compute(*judged) == pytest.approx(1 / 3)


def test_words_where_none_were_right_are_errors():
    judged = Predictions(texts(["one two", "three"])), texts([("",), ("three four",)])
    assert METRICS["wer"]().compute(*judged) == pytest.approx(3 / 2)
    with pytest.raises(DataError, match="not empty"):
        METRICS["wer"]().compute(Predictions(texts(["one"])), texts([("",)]))
