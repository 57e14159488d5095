"""Where `transformers-spans` answers: at each token of the context, and at the first place where there may be none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tuneloop.api import ABSENT, Columns
from tuneloop.preprocessing import PassagesPreprocessor
from tuneloop.tasks import QuestionAnswering, QuestionAnsweringOrNone
from tuneloop_transformers import TransformersSpans

COLUMNS = Columns({"question": "q", "context": "c"}, target="a")


@pytest.mark.parametrize("task", [QuestionAnswering(), QuestionAnsweringOrNone()])
def test_the_first_place_is_answered_where_there_may_be_no_answer(checkpoint, task):
    import torch

    base = TransformersSpans(TransformersSpans.Options(checkpoint=str(checkpoint), max_length=16, overlap=4))
    passages = PassagesPreprocessor.fit(base.preprocessor(Path()).options, COLUMNS, None)
    model = base.build(Path(), task, passages)
    rows = passages.check([{"q": "good day", "c": text} for text in ("bad night", "bad night " * 12)])
    for group in passages.encode(rows):
        with torch.no_grad():
            logits = model(**{name: torch.from_numpy(array) for name, array in group.inputs.items()})["logits"].numpy()
        (passage,) = (rows[row]["c"] for row in group.rows)
        held = logits[0, :, 0] > ABSENT / 2
        context = group.inputs["context"][0].reshape(-1) == 1
        assert context.sum() == len(passage.ids)
        assert held[0] == (task.name == "question-answering-or-none")
        np.testing.assert_array_equal(held[1:], context[1:])
        (answer,) = task.answers_to([{"c": passage}], {"logits": logits})
        assert answer["answer"] in passage
