"""BLEU and chrF against sacrebleu's own functions, and at their edges."""

import numpy as np
import pytest
import sacrebleu

from tuneloop.api import DataError, Predictions
from tuneloop_sacrebleu import tuneloop_metrics

METRICS = {metric.name: metric for metric in tuneloop_metrics()}
SAID = ["the cat sat on the mat today", "there is a red fox in the garden", "it rains"]
RIGHT = ["the cat sat on a mat today", "there is one red fox in the garden", "it is raining"]


def texts(values):
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("bleu", lambda said, right: sacrebleu.corpus_bleu(said, [right]).score),
        ("chrf", lambda said, right: sacrebleu.corpus_chrf(said, [right]).score),
    ],
)
def test_the_score_is_the_librarys(name, score):
    found = METRICS[name]().compute(Predictions(texts(SAID)), texts([(text,) for text in RIGHT]))
    assert found == pytest.approx(score(SAID, RIGHT))


def test_any_of_several_right_texts_will_do():
    right = texts([("something else", SAID[0]), (SAID[1],), ("no", "never", SAID[2])])
    for metric in METRICS.values():
        assert metric().compute(Predictions(texts(SAID)), right) == pytest.approx(100.0)


def test_statistics_of_rows_add_up_to_any_part_of_them():
    for metric in (one() for one in METRICS.values()):
        right = texts([(text,) for text in RIGHT])
        parts = metric.parts(Predictions(texts(SAID)), right)
        some = metric.compute(Predictions(texts(SAID[:2])), right[:2])
        assert metric.joined(parts[:2].sum(axis=0)[None])[0] == pytest.approx(some)


def test_no_rows_are_refused():
    with pytest.raises(DataError, match="on 0 rows"):
        METRICS["bleu"]().compute(Predictions(texts([])), texts([]))
