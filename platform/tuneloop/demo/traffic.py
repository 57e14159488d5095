"""A message desk's traffic: messages at a steady pace, their labels later, and a count of every request."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuneloop.demo.corpus import Message

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one message. `seconds` is the client's wall time, `at` when it was sent (monotonic)."""

    message: Message
    id: str
    label: str
    version: str
    seconds: float
    at: float

    @property
    def right(self) -> bool:
        """Whether the answer was the message's language."""
        return self.label == self.message.language


class Traffic:
    """Sends messages to a served model and, some seconds later, their labels.

    Args:
        url: The server.
        pace: Messages a second.
        label_delay: Seconds from an answer to its label.
        connections: Requests that may be under way at once.
    """

    def __init__(self, url: str, *, pace: float, label_delay: float, connections: int = 4) -> None:
        import httpx

        self._client: httpx.Client = httpx.Client(base_url=url, timeout=30)
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="traffic")
        self._pace, self._label_delay = pace, label_delay
        self._lock = threading.Lock()
        self._due: list[tuple[float, int, str, str]] = []
        self._order = itertools.count()
        self._stopping = threading.Event()
        self._keeper: threading.Thread | None = None
        self._keep_stop = threading.Event()
        self.failures: list[str] = []
        self.sent = 0
        self.labels = 0
        self._labeller = threading.Thread(target=self._send_labels, name="labels", daemon=True)
        self._labeller.start()

    def play(self, messages: Sequence[Message], *, labelled: bool = True) -> list[Reply]:
        """Send each message once, at the pace, and wait for all answers. Failed requests are in `failures`.

        Args:
            messages: What to send.
            labelled: Whether the labels follow; without them the messages can never be learned from.
        """
        return self._play(messages, threading.Event(), labelled)

    def keep_going(self, messages: Sequence[Message]) -> None:
        """Go on sending these messages, again and again, in the background, until `pause`."""
        self._keep_stop = threading.Event()
        stop = self._keep_stop
        self._keeper = threading.Thread(
            target=lambda: self._play(itertools.cycle(messages), stop, labelled=True), name="keeper", daemon=True
        )
        self._keeper.start()

    def pause(self) -> None:
        """Stop what `keep_going` began; requests under way are answered first."""
        self._keep_stop.set()
        if self._keeper is not None:
            self._keeper.join()
            self._keeper = None

    def close(self) -> None:
        """Stop sending; labels that are not due yet are sent at once."""
        self.pause()
        self._stopping.set()
        self._labeller.join()
        self._pool.shutdown()
        self._client.close()

    def _play(self, messages: Iterable[Message], stop: threading.Event, labelled: bool) -> list[Reply]:
        futures: list[Future[Reply | None]] = []
        replies: list[Reply] = []
        for message in self._paced(messages, stop):
            futures.append(self._pool.submit(self._ask, message, labelled))
            while len(futures) > 64:
                _collect(futures.pop(0), replies)
        for future in futures:
            _collect(future, replies)
        return replies

    def _paced(self, messages: Iterable[Message], stop: threading.Event) -> Iterator[Message]:
        begun = time.monotonic()
        for position, message in enumerate(messages):
            if stop.wait(max(0.0, begun + position / self._pace - time.monotonic())):
                return
            yield message

    def _ask(self, message: Message, labelled: bool) -> Reply | None:
        begun = time.monotonic()
        answer = self._post("/predict", {"rows": [{"message": message.message}]})
        if answer is None:
            return None
        first = answer["predictions"][0]
        ended = time.monotonic()
        if labelled:
            due = ended + self._label_delay
            with self._lock:
                heapq.heappush(self._due, (due, next(self._order), first["id"], message.language))
        return Reply(message, first["id"], first["label"], answer["version"], ended - begun, begun)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        import httpx

        with self._lock:
            self.sent += 1
        try:
            response = self._client.post(path, json=body)
        except httpx.HTTPError as error:
            said = f"{path}: {type(error).__name__}: {error}"
        else:
            if response.status_code == httpx.codes.OK:
                answer: dict[str, Any] = response.json()
                return answer
            said = f"{path}: {response.status_code} {response.text[:200]}"
        with self._lock:
            self.failures.append(said)
        return None

    def _send_labels(self) -> None:
        while not self._stopping.wait(0.5):
            self._send_due(time.monotonic())
        self._send_due(float("inf"))

    def _send_due(self, now: float) -> None:
        with self._lock:
            due = []
            while self._due and self._due[0][0] <= now:
                _, _, name, label = heapq.heappop(self._due)
                due.append({"id": name, "label": label})
        if due and self._post("/feedback", {"items": due}) is not None:
            self.labels += len(due)


def _collect(future: Future[Reply | None], replies: list[Reply]) -> None:
    reply = future.result()
    if reply is not None:
        replies.append(reply)
