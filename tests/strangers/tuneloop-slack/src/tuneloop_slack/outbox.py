"""Messages that wait to be sent, and the thread that sends them: an event costs its run no more than a list entry."""

from __future__ import annotations

import atexit
import logging
import queue
import threading
import time

from tuneloop_slack.webhook import NotDeliveredError, Webhook

logger = logging.getLogger("tuneloop.slack")

_MOST_WAITING = 100
_EXIT_SECONDS = 5.0
"""How long the end of a process waits for messages, at most."""


class Outbox:
    """Sends in order, from a thread of its own."""

    def __init__(self, webhook: Webhook, *, exit_seconds: float = _EXIT_SECONDS) -> None:
        self._webhook, self._exit_seconds = webhook, exit_seconds
        self._waiting: queue.Queue[str] = queue.Queue(_MOST_WAITING)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send_all, name="tuneloop-slack", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def put(self, text: str) -> None:
        """Take a message; one too many is dropped, and said so. Returns at once."""
        try:
            self._waiting.put_nowait(text)
        except queue.Full:
            logger.warning("%d Slack messages wait for %s already; one was dropped", _MOST_WAITING, self._webhook.host)

    def close(self) -> None:
        """Wait for what is under way, for a bounded time; then leave it."""
        deadline = time.monotonic() + self._exit_seconds
        with self._waiting.all_tasks_done:
            while self._waiting.unfinished_tasks and (left := deadline - time.monotonic()) > 0:
                self._waiting.all_tasks_done.wait(left)
            lost = self._waiting.unfinished_tasks
        self._stopping.set()
        if lost:
            logger.warning(
                "%d Slack message(s) were not delivered: %s gave no answer within %g s of this process's end",
                lost,
                self._webhook.host,
                self._exit_seconds,
            )

    def _send_all(self) -> None:
        while True:
            text = self._waiting.get()
            try:
                self._webhook.post(text, self._stopping)
            except NotDeliveredError as error:
                logger.warning("a Slack message was not delivered: %s", error)
            except Exception as error:
                # The thread must outlive whatever happens; the text of an unknown error may quote the address.
                logger.warning("a Slack message was not delivered: %s", type(error).__name__)
            finally:
                self._waiting.task_done()
