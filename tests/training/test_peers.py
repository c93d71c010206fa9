"""Several processes of a job, as threads of this one, over real connections."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from helpers import free_port

from hwr.training.peers import Hosts, HostsError, address_parts, together


def job(count: int, lost: list[tuple[int, str]], silence: float = 5.0) -> list[Hosts]:
    """Return the connected processes of a job, each of which notes losses in `lost`."""
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(count)]
    made: dict[int, Hosts] = {}

    def join(number: int) -> None:
        made[number] = Hosts(
            addresses,
            number,
            patience=20,
            silence=silence,
            on_loss=lambda sentence: lost.append((number, sentence)),
        )

    run_all([lambda n=n: join(n) for n in range(count)])  # type: ignore[misc]
    return [made[number] for number in range(count)]


def run_all(tasks: list[Callable[[], Any]]) -> list[Any]:
    """Run tasks at the same time; return what each returned or raised."""
    results: list[Any] = [None] * len(tasks)

    def run(number: int) -> None:
        try:
            results[number] = tasks[number]()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return results


def test_processes_agree() -> None:
    lost: list[tuple[int, str]] = []
    hosts = job(3, lost)
    assert [h.first for h in hosts] == [True, False, False]
    for _ in range(3):
        results = run_all([lambda h=h: h.largest(h.number, -h.number) for h in hosts])  # type: ignore[misc]
        assert results == [[2, 0]] * 3
    assert run_all([lambda h=h: h.from_first({"n": h.number}) for h in hosts]) == [{"n": 0}] * 3  # type: ignore[misc]
    for h in hosts:
        h.close()
    assert lost == []


def test_another_job_is_refused_by_the_first_difference() -> None:
    hosts = job(2, [])
    same = run_all([lambda h=h: h.check_same({"--seed": 3, "width": [1, 2]}) for h in hosts])  # type: ignore[misc]
    assert same == [None, None]
    results = run_all([lambda h=h: h.check_same({"--seed": h.number}) for h in hosts])  # type: ignore[misc]
    for error in results:
        assert isinstance(error, HostsError)
        assert "different --seed: 0 and 1; start all processes with the same" in str(error)
    for h in hosts:
        h.close()


def test_loss_is_told_to_all_and_names_the_process() -> None:
    lost: list[tuple[int, str]] = []
    hosts = job(3, lost)
    waiting = threading.Thread(target=lambda: run_all([hosts[0].largest, hosts[2].largest]))
    waiting.start()
    # As the kernel does for a process that was killed.
    hosts[1]._ended.set()
    hosts[1]._peers[0].connection.shutdown(socket.SHUT_RDWR)
    waiting.join(10)
    assert not waiting.is_alive()
    sentence = f"process 1 ({hosts[0].addresses[1]}) was lost: its connection closed"
    assert sorted(lost) == [(0, sentence), (2, sentence)]


def test_silence_is_a_loss() -> None:
    lost: list[tuple[int, str]] = []
    hosts = job(2, lost, silence=0.8)
    assert not hosts[0]._ended.wait(1.5)  # signs of life come
    hosts[1]._ended.set()  # the process hangs: its connection stays, and nothing comes
    assert hosts[0]._ended.wait(5)
    threads = [t for t in threading.enumerate() if t.name.endswith("(_listen)")]
    for thread in threads:
        thread.join(5)
    name = f"process 1 ({hosts[0].addresses[1]})"
    assert lost == [(0, f"{name} was lost: it gave no sign of life for 0.8 seconds")]


def test_failure_of_one_ends_the_others_with_its_reason() -> None:
    lost: list[tuple[int, str]] = []
    hosts = job(2, lost)
    hosts[1].close("the disk is full")
    assert hosts[0]._ended.wait(5)
    with pytest.raises(HostsError, match="the disk is full"):
        hosts[0].largest(1)
    assert lost == [(0, f"process 1 ({hosts[0].addresses[1]}) failed: the disk is full")]


def test_leaving_waits_for_all() -> None:
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    order: list[int] = []

    def run(number: int) -> None:
        with together(addresses, number) as hosts:
            if hosts.first:
                threading.Event().wait(0.3)
            order.append(number)
        order.append(10 + number)

    assert run_all([lambda: run(0), lambda: run(1)]) == [None, None]
    assert order[:2] == [1, 0]


@pytest.mark.parametrize(
    ("addresses", "number", "message"),
    [
        (["127.0.0.1:7801"], 0, "at least two different host:port"),
        (["a:1", "a:1"], 0, r"at least two different host:port\. Received: a:1,a:1"),
        (["a:1", "b"], 0, r"host:port, such as 10\.0\.0\.1:7801\. Received: 'b'"),
        (["a:1", "b:99999"], 0, "Received: 'b:99999'"),
        (["a:1", "b:2"], 2, r"--process must lie in 0\.\.1.* Received: 2"),
    ],
    ids=["one", "twice", "no port", "port", "process"],
)
def test_hosts_without_sense_are_refused(addresses: list[str], number: int, message: str) -> None:
    with pytest.raises(HostsError, match=message):
        Hosts(addresses, number)


def test_who_does_not_come_is_named() -> None:
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    with pytest.raises(HostsError, match=rf"Process 1 \({addresses[1]}\) cannot be reached"):
        Hosts(addresses, 0, patience=0.4)
    with pytest.raises(HostsError, match=rf"Process 0 \({addresses[0]}\) did not call"):
        Hosts(addresses, 1, patience=0.4)
    with (
        socket.create_server(("127.0.0.1", int(addresses[1].rpartition(":")[2]))),
        pytest.raises(HostsError, match="the port must be free"),
    ):
        Hosts(addresses, 1, patience=0.4)


def test_address_of_the_sixth_version() -> None:
    assert address_parts("[fd00::1]:7801") == ("fd00::1", 7801)
