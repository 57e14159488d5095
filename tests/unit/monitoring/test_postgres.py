"""What a PostgreSQL may refuse, in words; and a connection that is lost in the middle."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY
from tests.postgres import GUEST, GUEST_PASSWORD, Postgres

from tuneloop.api import ServingError
from tuneloop.monitoring.metrics import metrics
from tuneloop.monitoring.postgres import (
    CONNECT_SECONDS,
    OLDEST,
    check_database,
    check_version,
    in_words,
    may_pass,
    postgres_options,
    without_password,
)
from tuneloop.monitoring.store import Prediction, PredictionStore
from tuneloop.monitoring.writer import PredictionWriter


def prediction(number: int) -> Prediction:
    return Prediction(f"p{number}", "desk", "1", float(number), {"n": number}, {"label": "a"})


def refusal(url: str) -> str:
    with pytest.raises(ServingError) as caught:
        PredictionStore(url)
    said = str(caught.value)
    assert GUEST_PASSWORD not in said
    assert "geheim" not in said
    assert said.endswith("Check its URL.")
    return said


@pytest.fixture
def guest(postgres_server: Postgres, postgres: str) -> Iterator[str]:
    """The name of a database that a user with a password may connect to, and no more."""
    name = postgres.rpartition("/")[2]
    postgres_server.sql(f"CREATE ROLE {GUEST} LOGIN PASSWORD '{GUEST_PASSWORD}'")
    yield name
    postgres_server.sql(f"DROP OWNED BY {GUEST}", database=name)
    postgres_server.sql(f"DROP ROLE {GUEST}")


def test_what_a_user_may_not_do_is_said_without_the_password(postgres_server: Postgres, guest: str) -> None:
    assert "the user or the password is wrong" in refusal(postgres_server.url(guest, GUEST, "geheim-8"))
    assert "holds none" in refusal(postgres_server.url(guest, GUEST))
    may = postgres_server.url(guest, GUEST, GUEST_PASSWORD)
    said = refusal(may)
    assert "GRANT USAGE, CREATE ON SCHEMA public" in said
    assert f"{GUEST}:***@" in said
    postgres_server.sql(f"GRANT USAGE, CREATE ON SCHEMA public TO {GUEST}", database=guest)
    PredictionStore(may).close()


def test_a_database_that_is_not_there(postgres_server: Postgres) -> None:
    assert "create it with createdb" in refusal(postgres_server.url("nowhere"))


def test_a_host_that_is_not_there() -> None:
    assert "nobody listens" in refusal("postgresql+psycopg://me:geheim@127.0.0.1:1/x")
    assert "not known" in refusal("postgresql+psycopg://me:geheim@no-such-host.invalid/x")
    assert "pip install" in refusal("postgresql+nothing://me:geheim@host/x")


@contextmanager
def _silent() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


def test_a_host_that_does_not_answer_is_not_waited_for_long() -> None:
    with _silent() as port:
        begun = time.monotonic()
        said = refusal(f"postgresql+psycopg://me:geheim@127.0.0.1:{port}/x?connect_timeout=2")
    assert time.monotonic() - begun < 30
    assert "does not answer" in said


def test_options_leave_what_the_url_says() -> None:
    options = postgres_options("postgresql+psycopg://host/x?keepalives_idle=99")
    assert options["connect_args"]["connect_timeout"] == CONNECT_SECONDS
    assert "keepalives_idle" not in options["connect_args"]
    assert postgres_options("sqlite:///x.db") == {}


def test_an_old_version_is_named() -> None:
    check_version((OLDEST, 0))
    check_version(None)
    with pytest.raises(ServingError, match=rf"PostgreSQL {OLDEST - 1}\.9; version {OLDEST} or newer"):
        check_version((OLDEST - 1, 9))


def test_the_version_that_a_server_says_is_checked(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check_database(postgres)
    monkeypatch.setattr("tuneloop.monitoring.postgres.OLDEST", 99)
    with pytest.raises(ServingError, match="99 or newer"):
        check_database(postgres)
    assert "99 or newer" in refusal(postgres)


@contextmanager
def _aged(server: Postgres) -> Iterator[int]:
    """A port behind which the server is one of version 11: only the digits of what it says are changed."""
    listener = socket.create_server(("127.0.0.1", 0))

    def carry(source: socket.socket, target: socket.socket) -> None:
        # Either side may hang up first, then the other way ends too.
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                target.sendall(re.sub(rb"PostgreSQL \d\d", b"PostgreSQL 11", piece))
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def talk(near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", server.port)) as far:
            back = threading.Thread(target=carry, args=(far, near))
            back.start()
            carry(near, far)
            back.join()

    talks: list[threading.Thread] = []

    def take() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            talks.append(threading.Thread(target=talk, args=(near,)))
            talks[-1].start()

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for one in talks:
            one.join()


def test_a_server_that_is_too_old_is_told_on_the_wire(postgres_server: Postgres, postgres: str) -> None:
    with _aged(postgres_server) as port:
        said = refusal(
            postgres.replace(f":{postgres_server.port}/", f":{port}/").replace("tuneloop@", "tuneloop:geheim@")
        )
    assert re.search(rf"it is PostgreSQL 11\.\d+; version {OLDEST} or newer is needed", said)
    assert f"127.0.0.1:{port}/" in said


def test_what_may_pass_is_told_from_what_waits_for_a_person(postgres_server: Postgres, guest: str) -> None:
    def error(url: str) -> BaseException:
        with pytest.raises(sa.exc.SQLAlchemyError) as caught:
            check_database(url)
        return caught.value

    assert may_pass(error("postgresql+psycopg://me:geheim@127.0.0.1:1/x"))
    assert may_pass(error("postgresql+psycopg://me:geheim@no-such-host.invalid/x"))
    with _silent() as port:
        assert may_pass(error(f"postgresql+psycopg://me:geheim@127.0.0.1:{port}/x?connect_timeout=2"))
    assert not may_pass(error(postgres_server.url(guest, GUEST, "geheim-8")))
    assert not may_pass(error(postgres_server.url("nowhere")))
    assert not may_pass(error(postgres_server.url(guest, "nobody-known")))
    assert not may_pass(ServingError("it is too old"))


def test_a_patient_store_waits_for_its_database_and_not_for_a_person(
    postgres_server: Postgres, guest: str, request: pytest.FixtureRequest, wait_until: Callable[..., Any]
) -> None:
    url, model = postgres_server.url(guest), request.node.name
    with pytest.raises(ServingError, match="the password is wrong"):
        PredictionStore(postgres_server.url(guest, GUEST, "geheim-8"), patient=True)
    postgres_server.stop()
    try:
        assert "nobody listens" in refusal(url)
        store = PredictionStore(url, patient=True)
        assert not store.ready
        writer = PredictionWriter(store, metrics(), model, first_pause=0.05, longest_pause=0.1)
        assert all(writer.put(prediction(number)) for number in range(50))
        wait_until(lambda: (REGISTRY.get_sample_value("tuneloop_store_errors_total", {"model": model}) or 0) > 1)
        with pytest.raises(sa.exc.OperationalError):
            store.add_labels([("p1", "a")])
    finally:
        postgres_server.start()
    assert writer.flush(240)
    assert (store.ready, store.counts("desk").predictions) == (True, 50)
    assert REGISTRY.get_sample_value("tuneloop_store_dropped_rows_total", {"model": model}) == 0
    writer.close()
    store.close()


def test_a_database_that_takes_no_writes(postgres_server: Postgres, postgres: str) -> None:
    name = postgres.rpartition("/")[2]
    postgres_server.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert "name the primary server" in refusal(postgres)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:geheim@host/x?password=geheim&sslmode=require", "postgresql://me:***@host/x?sslmode=require"),
        ("not a url: geheim", "not a url:..."),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_words_of_the_database_are_kept_where_no_others_are_known() -> None:
    assert in_words(sa.exc.OperationalError("SELECT", {}, RuntimeError("the moon\n  is full"))) == "the moon is full"


def test_a_writer_goes_on_after_its_connections_were_cut(
    postgres_server: Postgres, postgres: str, request: pytest.FixtureRequest
) -> None:
    store = PredictionStore(postgres)
    writer = PredictionWriter(store, metrics(), request.node.name, first_pause=0.01)
    for round_ in range(5):
        for number in range(200):
            assert writer.put(prediction(round_ * 200 + number))
        postgres_server.cut(postgres.rpartition("/")[2])
        assert writer.flush(60)
    assert store.counts("desk").predictions == 1000
    assert REGISTRY.get_sample_value("tuneloop_store_dropped_rows_total", {"model": request.node.name}) == 0
    writer.close()
    store.close()


def test_a_writer_outlives_a_crash_of_the_server_and_counts_what_it_drops(
    postgres_server: Postgres, postgres: str, request: pytest.FixtureRequest, wait_until: Callable[..., Any]
) -> None:
    store = PredictionStore(postgres)
    model = request.node.name
    writer = PredictionWriter(store, metrics(), model, capacity=1000, first_pause=0.05, longest_pause=0.1)
    postgres_server.stop()
    try:
        accepted = sum(writer.put(prediction(number)) for number in range(3000))
        errors = {"model": model}
        wait_until(lambda: (REGISTRY.get_sample_value("tuneloop_store_errors_total", errors) or 0) > 1)
        assert 1000 <= accepted <= 1500
    finally:
        postgres_server.start()
    assert writer.flush(60)
    assert store.counts("desk").predictions == accepted
    assert REGISTRY.get_sample_value("tuneloop_store_dropped_rows_total", {"model": model}) == 3000 - accepted
    writer.close()
    store.close()
