"""How much memory the demo and everything it started took, at the most."""

from __future__ import annotations

import contextlib
import os
import threading


class PeakMemory:
    """Samples the memory of this process and its descendants twice a second, in a thread."""

    def __init__(self) -> None:
        self.bytes = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Stop sampling and give the highest sum seen, in bytes."""
        self._stopping.set()
        self._thread.join()
        return self.bytes

    def _sample(self) -> None:
        import psutil

        own = psutil.Process(os.getpid())
        while not self._stopping.wait(0.5):
            total = 0
            for process in [own, *own.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    # Shared pages are counted once a process by `rss`; `uss` would count them nowhere.
                    total += process.memory_info().rss
            self.bytes = max(self.bytes, total)
