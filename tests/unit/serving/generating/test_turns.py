"""Many answers at a time: all are right, none holds up the others, and nobody works for who has gone."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.unit.serving.generating.toy import make_predictor

from tuneloop.serving.errors import DeadlinePassedError, OverloadedError
from tuneloop.serving.generating.options import GenerationOptions
from tuneloop.serving.generating.turns import Turns

WAIT = 240


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return make_predictor(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    return make_predictor(tmp_path_factory.mktemp("slow"), work=60, max_length=4000)


def run(test):
    asyncio.run(asyncio.wait_for(test, WAIT))


def begin(predictor, prompt="once", **options):
    return predictor.begin({"story": prompt}, GenerationOptions(**options))


def test_each_gets_its_own_text(predictor):
    prompts = [f"{letter}{other} day" for letter in "abcdef" for other in "ghijkl"]

    async def test():
        turns = Turns(threads=2, most_waiting=100, most_active=5)
        tickets = [turns.submit(begin(predictor, prompt, max_tokens=30)) for prompt in prompts]
        assert turns.queued == len(prompts) - 5
        await asyncio.gather(*(ticket.future for ticket in tickets))
        await turns.close()
        for prompt, ticket in zip(prompts, tickets, strict=True):
            alone = begin(predictor, prompt, max_tokens=30).run()
            assert (ticket.generation.tokens, ticket.generation.pieces.text) == (alone.tokens, alone.pieces.text)

    run(test())


def test_a_short_answer_does_not_wait_for_a_long_one(slow):
    async def test():
        turns = Turns(threads=1, most_waiting=10)
        long = turns.submit(begin(slow, max_tokens=3000))
        short = turns.submit(begin(slow, max_tokens=3))
        await short.future
        assert not long.future.done()
        long.future.cancel()
        await turns.close()
        assert not long.generation.done

    run(test())


def test_pieces_come_while_the_text_is_made(slow):
    told: list[str] = []

    async def test():
        turns = Turns(threads=1, most_waiting=10)
        ticket = turns.submit(begin(slow, max_tokens=40), listen=told.append)
        while not told:
            await asyncio.sleep(0)
        assert not ticket.generation.done
        await ticket.future
        await turns.close()
        assert "".join(told) == ticket.generation.pieces.text
        assert ticket.first > 0

    run(test())


def test_a_cancelled_answer_gives_its_place_to_the_next(slow):
    async def test():
        turns = Turns(threads=1, most_waiting=10, most_active=1)
        endless = turns.submit(begin(slow, max_tokens=3900))
        waiting = turns.submit(begin(slow, max_tokens=2))
        gone = turns.submit(begin(slow, max_tokens=2))
        gone.future.cancel()
        endless.future.cancel()
        await waiting.future
        await turns.close()
        assert (len(gone.generation.chosen), len(waiting.generation.chosen)) == (0, 2)
        assert turns.active == turns.queued == 0

    run(test())


def test_too_many_are_refused_and_the_late_are_not_begun(slow):
    async def test():
        turns = Turns(threads=1, most_waiting=1, most_active=1)
        first = turns.submit(begin(slow, max_tokens=3900))
        late = turns.submit(begin(slow, max_tokens=2), deadline=time.monotonic() + 0.01)
        with pytest.raises(OverloadedError, match="at most 1 may"):
            turns.submit(begin(slow, max_tokens=2))
        await asyncio.sleep(0.05)
        first.future.cancel()
        with pytest.raises(DeadlinePassedError):
            await late.future
        await turns.close()
        assert not late.generation.chosen

    run(test())


def test_a_failure_stays_with_its_answer(predictor):
    async def test():
        turns = Turns(threads=2, most_waiting=10)
        broken, fine = begin(predictor, max_tokens=20), begin(predictor, max_tokens=20)
        broken.prompt = [10_000]
        tickets = [turns.submit(broken), turns.submit(fine)]
        found = await asyncio.gather(*(ticket.future for ticket in tickets), return_exceptions=True)
        await turns.close()
        assert isinstance(found[0], Exception)
        assert fine.done

    run(test())
