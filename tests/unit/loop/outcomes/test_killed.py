"""A reader is killed again and again while labels come: each is read once, and what was said follows from them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.unit.loop.outcomes.conftest import Streak

from tuneloop.loop.outcomes.journal import Journal

ROOT = Path(__file__).parents[4]
ROUNDS, ROWS = 3, 4000


def test_killed_at_random_moments(world: Any) -> None:
    seed = int.from_bytes(os.urandom(4))
    chance = random.Random(seed)
    ids = world.answer(ROWS)
    stop = threading.Event()

    def send() -> None:
        while ids and not stop.is_set():
            batch = [(ids.pop(0), "b" if chance.random() < 0.4 else "a") for _ in range(min(len(ids), 5))]
            world.store.add_labels(batch)

    sender = threading.Thread(target=send)
    sender.start()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        for _ in range(ROUNDS):
            process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("killed.py")), world.url, world.project.name],
                stdout=subprocess.PIPE,
                env=environment,
            )
            with process:
                assert process.stdout is not None
                assert process.stdout.readline()
                threading.Event().wait(chance.uniform(0, 0.3))
                process.send_signal(signal.SIGKILL)
    finally:
        stop.set()
        sender.join(30)
    world.store.add_labels([(id_, "b" if chance.random() < 0.4 else "a") for id_ in ids])
    world.reader().look()
    journal = Journal(world.store, world.project.name)
    entries = journal.outcomes("1", 0, 2 * ROWS)
    assert len(entries) == ROWS, f"seed {seed}"
    wrong = sum(pair.label == "b" for pair in world.store.labelled_rows(world.project.name))
    assert sum(one.error or 0 for one in entries) == wrong, f"seed {seed}"
    said, detector = [], Streak()
    for one in entries:
        direction = detector.update(one.error)
        if direction is not None:
            said.append((one.seq, direction))
            detector = Streak()
    assert len(said) > 20
    assert [(one.seq, one.direction) for one in journal.said()] == said, f"seed {seed}"
