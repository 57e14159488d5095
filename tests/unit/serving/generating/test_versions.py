"""A sealed model that generates: it loads like any other, answers files, and knows requests from rows of the data."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.unit.serving.generating.toy import make_artifact, make_predictor

from tuneloop.api import RequestError
from tuneloop.serving.engine import Engine
from tuneloop.serving.generating.options import GenerationOptions
from tuneloop.serving.generating.predictor import GeneratingPredictor
from tuneloop.serving.limits import Limits
from tuneloop.serving.loader import VersionRefusedError, load_version
from tuneloop.serving.offline import BatchJob, score_files
from tuneloop.serving.wishes import Wishes

WAIT = 240


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    return load_version(make_artifact(tmp_path_factory.mktemp("toy") / "artifact", "toy").folder, "1")


def test_it_answers_its_golden_examples(loaded, tmp_path):
    assert isinstance(loaded.predictor, GeneratingPredictor)
    artifact = make_artifact(tmp_path / "artifact", "toy")
    examples = json.loads((artifact.folder / "examples.json").read_text())
    examples[0]["answer"]["text"] += "z"
    manifest = json.loads((artifact.folder / "manifest.json").read_text())
    (artifact.folder / "manifest.json").unlink()
    (artifact.folder / "examples.json").write_text(json.dumps(examples))
    from tuneloop.artifact import Manifest, seal

    seal(artifact.folder, Manifest.model_validate(manifest))
    with pytest.raises(VersionRefusedError, match=r"wrongly: answer\[0\].text is") as refused:
        load_version(artifact.folder, "1")
    assert refused.value.reason == "golden"


def test_files_are_answered_as_requests_are(loaded, tmp_path):
    rows = [{"id": i, "story": text} for i, text in enumerate(("once upon", "a day", " ", "a" * 70, "the cat"))]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    job = BatchJob(
        (str(tmp_path / "rows.jsonl"),), str(tmp_path / "out.jsonl"), keep=("id",), on_error="skip", threads=2
    )
    result = score_files(loaded, job)
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    kept = [rows[i] for i in (0, 1, 4)]
    answers = loaded.predictor.predict([{"story": row["story"]} for row in kept]).answers
    assert found == [{"id": row["id"], **answer} for row, answer in zip(kept, answers, strict=True)]
    assert (result.counts.read, result.counts.refused) == (5, 2)
    rejected = (tmp_path / "out.jsonl.rejects.jsonl").read_text()
    assert "has 70 tokens; prompt and answer together have at most 64" in rejected


def test_a_version_may_follow_another_while_a_text_is_made(loaded, tmp_path):
    other = load_version(make_artifact(tmp_path / "artifact", "toy", max_tokens=3).folder, "2")

    async def test():
        engine = Engine("toy", threads=1, limits=Limits())
        await engine.start(loaded)
        told: list[str] = []
        wishes = Wishes(options=GenerationOptions(max_tokens=50))
        first = asyncio.ensure_future(engine.stream([{"story": "once"}], 0, wishes, told.append, ["one"]))
        while not told:
            await asyncio.sleep(0)
        await engine.swap(other)
        second = await engine.predict([{"story": "once"}])
        answered = await first
        await engine.stop()
        assert (answered.version, second.version) == ("1", "2")
        assert (answered.ids, "".join(told)) == (["one"], answered.answers[0]["text"])
        assert second.answers[0]["completion_tokens"] <= 3

    asyncio.run(asyncio.wait_for(test(), WAIT))


def test_a_request_holds_no_right_answer(tmp_path):
    from tuneloop.serving.generating.counts import GenerationCounts
    from tuneloop.serving.generating.generator import Generator

    predictor = make_predictor(tmp_path, answers="say")

    async def test():
        generator = Generator(predictor, GenerationCounts("toy", "9"), threads=1, most_waiting=4)
        with pytest.raises(RequestError, match="is not a column of this model") as refused:
            await generator.work([{"story": "a"}, {"story": "a", "say": "b"}], float("inf"))
        assert (refused.value.field, refused.value.row) == ("say", 1)
        batch = await generator.work([{"story": "a"}], float("inf"))
        assert batch.answers == predictor.predict([{"story": "a"}]).answers
        await generator.close()

    asyncio.run(asyncio.wait_for(test(), WAIT))
