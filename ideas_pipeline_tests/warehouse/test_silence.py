"""When a server counts as gone. A whole run without its server: faults/test_database_restarts.py."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from ideas_pipeline.warehouse import silence
from ideas_pipeline.warehouse.silence import is_answering
from ideas_pipeline.warehouse.warehouse import Warehouse


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_ASK_EVERY", "_ANSWERS_WITHIN", "_GIVE_UP_AFTER"):
        monkeypatch.setattr(silence, name, 0.05)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.parametrize("warehouse_url", ["postgresql"], indirect=True)
def test_a_statement_that_takes_long_is_waited_for_as_long_as_the_server_answers(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "_ANSWERS_WITHIN", 10)  # on a machine with other work, too
    with warehouse.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1 FROM pg_sleep(1)")) == 1


def test_a_server_that_takes_connections_and_says_nothing_does_not_answer(listener: socket.socket) -> None:
    assert not is_answering(*listener.getsockname())


def test_a_server_that_refuses_connections_does_not_answer(listener: socket.socket, tmp_path: Path) -> None:
    address = listener.getsockname()
    listener.close()
    assert not is_answering(*address)
    assert not is_answering(str(tmp_path), 5432)


def test_any_answer_will_do(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "_ANSWERS_WITHIN", 10)
    asked: list[bytes] = []

    def answer() -> None:
        with listener.accept()[0] as connection:
            asked.append(connection.recv(8))
            connection.sendall(b"N")

    thread = threading.Thread(target=answer)
    thread.start()
    assert is_answering(*listener.getsockname())
    thread.join()
    assert asked == [bytes.fromhex("0000000804d2162f")]
