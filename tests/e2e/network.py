"""Hosts for tests: network namespaces on a bridge where this process may make them, else folders and ports of one host.

What hosts share they reach through a `Wire` of their own, which can be cut.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_PIECE = 1 << 16


@dataclass(frozen=True)
class Place:
    """Where a host's processes run: its address, and what stands before each of its commands."""

    address: str
    prefix: tuple[str, ...] = ()


@dataclass(frozen=True)
class Network:
    """The address at which this process offers what hosts share, and the hosts."""

    address: str
    places: tuple[Place, ...]


@contextmanager
def network(count: int) -> Iterator[Network]:
    """So many hosts; as namespaces none reaches the loopback of another, and all may use one port number."""
    name = f"tl{os.getpid()}"
    subnet = f"10.{64 + os.getpid() % 128}.{os.getpid() // 128 % 256}"
    if os.geteuid() != 0 or shutil.which("ip") is None or not _ip("link", "add", name, "type", "bridge"):
        yield Network("127.0.0.1", tuple(Place("127.0.0.1") for _ in range(count)))
        return
    spaces = [f"{name}-{number}" for number in range(count)]
    try:
        fine = _ip("addr", "add", f"{subnet}.1/24", "dev", name) and _ip("link", "set", name, "up")
        places = []
        for number, space in enumerate(spaces):
            outer, address = f"{name}v{number}", f"{subnet}.{10 + number}"
            fine = (
                fine
                and _ip("netns", "add", space)
                and _ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", space)
                and _ip("link", "set", outer, "master", name, "up")
                and _ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
                and _ip("-n", space, "link", "set", "eth0", "up")
                and _ip("-n", space, "link", "set", "lo", "up")
            )
            places.append(Place(address, ("ip", "netns", "exec", space)))
        if fine:
            yield Network(f"{subnet}.1", tuple(places))
        else:
            yield Network("127.0.0.1", tuple(Place("127.0.0.1") for _ in range(count)))
    finally:
        for space in spaces:
            _ip("netns", "del", space)
        _ip("link", "del", name)


def _ip(*arguments: str) -> bool:
    return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0


class Wire:
    """A way for TCP from an address to another one.

    While it is cut, connections stay open and nothing comes through them, as when a switch dies; new ones are not made.
    Mended, it knows the old ones no more, and resets them.
    """

    def __init__(self, address: str, to: tuple[str, int]) -> None:
        self._to = to
        self._listener = socket.create_server((address, 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._whole, self._ended = threading.Event(), threading.Event()
        self._whole.set()
        self._thread = threading.Thread(target=self._take, name="wire", daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """From now on nothing comes through."""
        self._whole.clear()

    def mend(self) -> None:
        """Connections are made again."""
        with self._lock:
            for pair in self._pairs:
                _reset(pair)
            self._pairs.clear()
        self._whole.set()

    def close(self) -> None:
        """End it and its connections."""
        self._ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.mend()
        self._thread.join()

    def _take(self) -> None:
        while not self._ended.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._whole.wait()
            try:
                far = socket.create_connection(self._to)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._pairs.append((near, far))
            threading.Thread(target=self._carry, args=(near, far), name="wire", daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        try:
            with selectors.DefaultSelector() as selector:
                for one in other:
                    selector.register(one, selectors.EVENT_READ)
                while True:
                    for key, _ in selector.select():
                        self._whole.wait()
                        one = key.fileobj
                        assert isinstance(one, socket.socket)
                        if not (piece := one.recv(_PIECE)):
                            return
                        other[one].sendall(piece)
        except (OSError, ValueError):
            return
        finally:
            _reset((near, far))


def _reset(pair: tuple[socket.socket, socket.socket]) -> None:
    for one in pair:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
