"""The doors of a model that generates, at a real server: the typed one, OpenAI's, and the protocol's `generate`."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from tests.unit.serving.doors.generating.conftest import NAME, QUEUE

from tuneloop.serving.generating.turns import MOST_ACTIVE

GENERATE = f"/v2/models/{NAME}/generate"


def events(response: httpx.Response) -> list[Any]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_the_typed_door_answers_as_the_model_does(tales):
    rows = [{"story": "once upon"}, {"story": "a day"}]
    found = tales.client.post("/predict", json={"rows": rows}).json()["predictions"]
    assert [one["text"] for one in found] == [tales.greedy(row["story"], 12) for row in rows]
    options = {"max_tokens": 5, "temperature": 0.9, "seed": 7}
    twice = [tales.client.post("/predict", json={"rows": rows, "options": options}).json() for _ in range(2)]
    texts = [[one["text"] for one in sent["predictions"]] for sent in twice]
    assert texts[0] == texts[1]
    taken = tales.client.post("/feedback", json={"items": [{"id": found[0]["id"], "label": "time"}]}).json()
    assert (taken["joined"], taken["refused"]) == (1, [])


def test_completions_are_as_openai_has_them(tales):
    asked = {"model": NAME, "prompt": ["once upon", "a day"], "max_tokens": 6, "temperature": 0}
    found = tales.client.post("/v1/completions", json=asked).json()
    assert found["object"] == "text_completion"
    assert [(one["index"], one["text"]) for one in found["choices"]] == [
        (0, tales.greedy("once upon", 6)),
        (1, tales.greedy("a day", 6)),
    ]
    usage = found["usage"]
    assert usage == {"prompt_tokens": 14, "completion_tokens": 12, "total_tokens": 26}
    several = tales.client.post("/v1/completions", json={**asked, "prompt": "a", "n": 3, "temperature": 1, "seed": 1})
    assert len({one["text"] for one in several.json()["choices"]}) > 1


def test_a_streamed_completion_is_the_same_in_pieces(tales):
    asked = {"model": NAME, "prompt": "once upon", "max_tokens": 20, "temperature": 0, "stream": True}
    *chunks, done = events(tales.client.post("/v1/completions", json=asked))
    assert done == "[DONE]"
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == tales.greedy("once upon", 20)
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks][-2:] == [None, "length"]
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert len(chunks) > 2, "the first piece comes before the others"
    *_, counted, _ = events(
        tales.client.post("/v1/completions", json={**asked, "stream_options": {"include_usage": True}})
    )
    assert (counted["choices"], counted["usage"]["completion_tokens"]) == ([], 20)


def test_a_chat_is_rendered_by_the_template(tales):
    asked = {"model": NAME, "messages": [{"role": "user", "content": "hello"}], "temperature": 0, "max_tokens": 9}
    found = tales.client.post("/v1/chat/completions", json=asked).json()
    rendered = "<|user|>hello\n<|assistant|>"
    assert found["choices"][0]["message"] == {
        "role": "assistant",
        "content": tales.greedy(rendered, 9),
        "refusal": None,
    }
    parts = [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]
    streamed = {**asked, "messages": [{"role": "user", "content": parts}], "stream": True}
    first, *rest, done = events(tales.client.post("/v1/chat/completions", json=streamed))
    assert (first["choices"][0]["delta"]["role"], done) == ("assistant", "[DONE]")
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in (first, *rest))
    assert text == found["choices"][0]["message"]["content"]


def test_the_protocol_generates_too(tales):
    asked = {"id": "7", "text_input": "once upon", "parameters": {"max_tokens": 8}}
    found = tales.client.post(GENERATE, json=asked).json()
    assert (found["id"], found["model_name"], found["model_version"]) == ("7", NAME, "1")
    assert found["text_output"] == tales.greedy("once upon", 8)
    pieces = events(tales.client.post(f"{GENERATE}_stream", json=asked))
    assert "".join(piece["text_output"] for piece in pieces) == found["text_output"]
    assert pieces[-1]["finish_reason"] == "length"
    labelled = {"items": [{"id": pieces[-1]["prediction_id"], "label": "time"}]}
    assert tales.client.post("/feedback", json=labelled).json()["joined"] == 1


def test_the_model_is_listed_and_described(tales):
    listed = tales.client.get("/v1/models").json()
    assert [one["id"] for one in listed["data"]] == [NAME]
    assert tales.client.get(f"/v1/models/{NAME}").json() == listed["data"][0]
    paths = tales.client.get("/docs.json").json()["paths"]
    assert {"/v1/completions", "/v1/chat/completions", "/v1/models", GENERATE, f"{GENERATE}_stream"} <= paths.keys()


def test_texts_of_many_clients_are_made_side_by_side(tales):
    prompts = [f"{letter}{other} day" for letter in "abcde" for other in "xyz"]

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=tales.server.url, timeout=240) as client:
            bodies = [{"model": NAME, "prompt": prompt, "max_tokens": 25, "temperature": 0} for prompt in prompts]
            return list(await asyncio.gather(*(client.post("/v1/completions", json=body) for body in bodies)))

    found = asyncio.run(ask())
    assert [one.json()["choices"][0]["text"] for one in found] == [tales.greedy(prompt, 25) for prompt in prompts]


def test_who_hangs_up_is_not_worked_for(tales):
    asked = {"model": NAME, "prompt": "once upon", "max_tokens": 2900, "temperature": 0}
    before = tales.total("tuneloop_generations_total", reason="gone")
    with tales.client.stream("POST", "/v1/completions", json={**asked, "stream": True}) as response:
        next(response.iter_lines())
    tales.wait(lambda: tales.total("tuneloop_generations_total", reason="gone") == before + 1)
    for path, body in (
        ("/v1/completions", asked),
        ("/predict", {"rows": [{"story": "a"}], "options": {"max_tokens": 2900}}),
    ):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(tales.server.url + path, json=body, timeout=httpx.Timeout(60, read=0.3))
    tales.wait(lambda: tales.total("tuneloop_generations_total", reason="gone") == before + 3)
    tales.wait(lambda: tales.total("tuneloop_generations_active") == 0)
    assert tales.total("tuneloop_requests_refused_total", reason="client-gone") >= 3


def test_more_than_it_can_hold_is_refused(tales):
    body = {"model": NAME, "prompt": "once", "max_tokens": 2900, "temperature": 0}

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(base_url=tales.server.url, timeout=240, limits=httpx.Limits()) as client:
            many = [
                asyncio.ensure_future(client.post("/v1/completions", json=body)) for _ in range(MOST_ACTIVE + QUEUE)
            ]
            while tales.total("tuneloop_generations_active") < MOST_ACTIVE:
                await asyncio.sleep(0.05)
            refused = None
            while refused is None or refused.status_code == 200:
                refused = await client.post("/v1/completions", json={**body, "max_tokens": 1})
            # The engine still answers what is no text.
            assert (await client.get("/readyz")).status_code == 200
            for one in many:
                one.cancel()
            await asyncio.gather(*many, return_exceptions=True)
            return refused

    refused = asyncio.run(ask())
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "overloaded")
    assert int(refused.headers["retry-after"]) >= 1
    tales.wait(lambda: tales.total("tuneloop_generations_active") == 0)


def test_tokens_and_times_are_counted(tales):
    before = tales.total("tuneloop_generated_tokens_total"), tales.total("tuneloop_prompt_tokens_total")
    tales.client.post("/predict", json={"rows": [{"story": "once"}], "options": {"max_tokens": 6}})
    assert tales.total("tuneloop_generated_tokens_total") == before[0] + 6
    assert tales.total("tuneloop_prompt_tokens_total") == before[1] + 4
    assert tales.total("tuneloop_first_token_seconds_sum") > 0
    assert tales.total("tuneloop_token_seconds_count") > 0


COMPLETION = {"model": NAME, "prompt": "once"}
CHAT = {"model": NAME, "messages": [{"role": "user", "content": "hello"}]}
BAD: list[tuple[str, Any, int, str | None]] = [
    ("/v1/completions", [], 422, None),
    ("/v1/completions", {}, 422, "model"),
    ("/v1/completions", {**COMPLETION, "model": "other"}, 404, "model"),
    ("/v1/completions", {**COMPLETION, "model": 3}, 422, "model"),
    ("/v1/completions", {**COMPLETION, "prompt": ""}, 422, "story"),
    ("/v1/completions", {**COMPLETION, "prompt": []}, 422, "prompt"),
    ("/v1/completions", {**COMPLETION, "prompt": [1, 2]}, 422, "prompt"),
    ("/v1/completions", {**COMPLETION, "prompt": "a" * 3000}, 422, "story"),
    ("/v1/completions", {**COMPLETION, "prompt": "a\x00"}, 422, "story"),
    ("/v1/completions", {**COMPLETION, "max_tokens": 0}, 422, "max_tokens"),
    ("/v1/completions", {**COMPLETION, "max_tokens": "9"}, 422, "max_tokens"),
    ("/v1/completions", {**COMPLETION, "max_tokens": True}, 422, "max_tokens"),
    ("/v1/completions", {**COMPLETION, "temperature": -1}, 422, "temperature"),
    ("/v1/completions", {**COMPLETION, "temperature": "hot"}, 422, "temperature"),
    ("/v1/completions", {**COMPLETION, "top_p": 0}, 422, "top_p"),
    ("/v1/completions", {**COMPLETION, "top_p": 1.5}, 422, "top_p"),
    ("/v1/completions", {**COMPLETION, "n": 0}, 422, "n"),
    ("/v1/completions", {**COMPLETION, "n": 9}, 422, "n"),
    ("/v1/completions", {**COMPLETION, "n": 2, "stream": True}, 422, "stream"),
    ("/v1/completions", {**COMPLETION, "stop": [""]}, 422, "stop"),
    ("/v1/completions", {**COMPLETION, "stop": ["a"] * 17}, 422, "stop"),
    ("/v1/completions", {**COMPLETION, "stop": 3}, 422, "stop"),
    ("/v1/completions", {**COMPLETION, "seed": -1}, 422, "seed"),
    ("/v1/completions", {**COMPLETION, "seed": 1.5}, 422, "seed"),
    ("/v1/completions", {**COMPLETION, "stream": "yes"}, 422, "stream"),
    ("/v1/completions", {**COMPLETION, "stream_options": 1}, 422, "stream_options"),
    ("/v1/completions", {**COMPLETION, "logprobs": 3}, 422, "logprobs"),
    ("/v1/completions", {**COMPLETION, "presence_penalty": 1}, 422, "presence_penalty"),
    ("/v1/completions", {**COMPLETION, "no_such": 1}, 422, "no_such"),
    ("/v1/chat/completions", {**CHAT, "messages": []}, 422, "messages"),
    ("/v1/chat/completions", {**CHAT, "messages": ["hello"]}, 422, "messages"),
    ("/v1/chat/completions", {**CHAT, "messages": [{"role": "user"}]}, 422, "messages"),
    ("/v1/chat/completions", {**CHAT, "messages": [{"role": "judge", "content": "a"}]}, 422, "messages"),
    ("/v1/chat/completions", {**CHAT, "tools": [{"type": "function"}]}, 422, "tools"),
    ("/v1/chat/completions", {**CHAT, "response_format": {"type": "json_object"}}, 422, "response_format"),
    (GENERATE, {}, 422, "text_input"),
    (GENERATE, {"text_input": 3}, 422, "text_input"),
    (GENERATE, {"text_input": "a", "id": 3}, 422, "id"),
    (GENERATE, {"text_input": "a", "parameters": []}, 422, "parameters"),
    (GENERATE, {"text_input": "a", "parameters": {"best": 1}}, 422, "best"),
    (GENERATE, {"text_input": "a", "parameters": {"beams": 9}}, 422, "beams"),
    (GENERATE, {"text_input": "a", "parameters": {"beams": 2, "temperature": 1}}, 422, "options"),
    (f"{GENERATE}_stream", {"text_input": " "}, 422, "story"),
    ("/predict", {"rows": [{"story": "a"}], "options": 3}, 422, "options"),
    ("/predict", {"rows": [{"story": "a"}], "options": {"temperature": 1e999}}, 400, None),
    ("/predict", {"rows": [{"story": "a"}] * 65}, 422, "rows"),
    ("/v2/models/other/generate", {"text_input": "a"}, 404, None),
]


@pytest.mark.parametrize("case", range(len(BAD)))
def test_bad_input_is_refused_with_field_and_reason(tales, case):
    path, body, status, field = BAD[case]
    content = json.dumps(body).replace("Infinity", "1e999")
    found = tales.client.post(path, content=content, headers={"content-type": "application/json"})
    assert (found.status_code, found.json().get("field")) == (status, field), found.text
    assert found.headers["content-type"] == "application/problem+json"
    if path.startswith("/v1/"):
        error = found.json()["error"]
        assert error["message"]
        assert error["param"] == field


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/completions", 405), ("POST", "/v1/models", 405), ("GET", "/v1/other", 404), ("GET", GENERATE, 405)],
)
def test_other_paths_and_methods_are_refused(tales, method, path, status):
    assert tales.client.request(method, path).status_code == status


def test_openais_own_client_works(tales):
    openai = pytest.importorskip("openai")
    client = openai.OpenAI(base_url=f"{tales.server.url}/v1", api_key="none", timeout=240)
    assert [one.id for one in client.models.list().data] == [NAME]
    asked = {"model": NAME, "temperature": 0, "max_tokens": 9}
    whole = client.completions.create(prompt="once upon", **asked)
    assert whole.choices[0].text == tales.greedy("once upon", 9)
    pieces = client.completions.create(prompt="once upon", stream=True, **asked)
    assert "".join(chunk.choices[0].text for chunk in pieces) == whole.choices[0].text
    talk = client.chat.completions.create(messages=CHAT["messages"], **asked)
    streamed = client.chat.completions.create(messages=CHAT["messages"], stream=True, **asked)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed) == talk.choices[0].message.content
    with pytest.raises(openai.UnprocessableEntityError, match="top_p"):
        client.completions.create(prompt="once", top_p=2, **asked)
    with pytest.raises(openai.NotFoundError, match="not served here"):
        client.completions.create(prompt="once", model="other")
