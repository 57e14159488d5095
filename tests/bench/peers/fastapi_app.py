"""FastAPI: models of request and answer, a call of the graph in the event loop or in a pool of threads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI
from graph import INLINE, THREADS, Graph
from pydantic import BaseModel

app = FastAPI()
graph = Graph()
pool = ThreadPoolExecutor(THREADS)


class Numbers(BaseModel):
    """Rows of a table."""

    numeric: list[list[float]]


class Tokens(BaseModel):
    """Rows of tokens."""

    input_ids: list[list[int]]
    attention_mask: list[list[int]]
    token_type_ids: list[list[int]]


class Answer(BaseModel):
    """One list of logits a row."""

    logits: list[list[float]]


def answer(inputs: Mapping[str, Sequence[Sequence[float]]]) -> Answer:
    """Run the graph."""
    return Answer(logits=graph.run_lists(inputs).tolist())


@app.post("/table")
async def table(request: Numbers) -> Answer:
    """Logits of rows of numbers."""
    return await run(dict(request))


@app.post("/encoder")
async def encoder(request: Tokens) -> Answer:
    """Logits of rows of tokens."""
    return await run(dict(request))


async def run(inputs: Mapping[str, Sequence[Sequence[float]]]) -> Answer:
    """Where the graph is run."""
    if INLINE:
        return answer(inputs)
    return await asyncio.get_running_loop().run_in_executor(pool, answer, inputs)
