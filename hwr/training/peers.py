"""Control channel of several processes that train one network together.

JAX sums the gradients. A TCP connection between the first process and each other one carries the
rest: when to stop, the width of the batch, whether all run the same job. Heartbeats detect a
process that is killed, hangs or loses its network; the others then end within SILENCE seconds.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

#: Seconds between two heartbeats, and without one until a process counts as lost.
BEAT, SILENCE = 2.0, 20.0

#: Seconds that the processes wait for each other at the start.
PATIENCE = 300.0

#: The exit code of a process that ends because another was lost.
LOST = 3


class HostsError(ValueError):
    """The processes of a job cannot work together."""


class Hosts:
    """All processes of a job, seen from one of them.

    Args:
        addresses: host:port of each process, the same list in the same order everywhere. The
            port of the first is for JAX; the first connects to the ports of the others.
        number: of this process, 0..len(addresses) - 1.
        patience: seconds to wait for the others.
        silence: seconds without a heartbeat after which a process counts as lost.
        on_loss: called with a message, in another thread, when a process is lost; by default
            it is printed and this process ends at once with the code LOST, since its main
            thread may wait for the lost one for ever.

    Raises:
        HostsError: an address is invalid, or a process did not connect.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        number: int,
        *,
        patience: float = PATIENCE,
        silence: float = SILENCE,
        on_loss: Callable[[str], None] | None = None,
    ) -> None:
        self.addresses, self.number = tuple(addresses), number
        self.silence, self.on_loss = silence, on_loss or _end
        if len(self.addresses) < 2 or len(set(self.addresses)) < len(self.addresses):
            raise HostsError(
                f"--hosts names at least two different host:port. Received: {','.join(addresses)}"
            )
        if not 0 <= number < len(self.addresses):
            raise HostsError(
                f"--process must lie in 0..{len(self.addresses) - 1}, the position of this "
                f"process in --hosts. Received: {number}"
            )
        places = [address_parts(address) for address in self.addresses]
        self._ended = threading.Event()
        self._reported = threading.Event()
        self._loss: str | None = None
        self._peers: dict[int, _Peer] = {}
        deadline = time.monotonic() + patience
        if number == 0:
            for other, place in enumerate(places[1:], start=1):
                self._add(other, self._reach(other, place, deadline))
        else:
            self._add(0, self._await_first(places[number], deadline))
        threading.Thread(target=self._beat, daemon=True).start()

    @property
    def count(self) -> int:
        """How many processes there are."""
        return len(self.addresses)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes the model, the checkpoints and the log."""
        return self.number == 0

    def gathered(self, value: Any) -> list[Any]:
        """Return the JSON value that each process gave, in their order; waits for all."""
        try:
            if not self.first:
                self._peers[0].send({"value": value})
                return list(self._peers[0].next_value())
            values = [value] + [self._peers[other].next_value() for other in range(1, self.count)]
            for peer in self._peers.values():
                peer.send({"value": values})
            return values
        except OSError as error:
            self._reported.wait(self.silence)
            raise HostsError(self._loss or str(error)) from error

    def largest(self, *values: float) -> list[float]:
        """Return the largest of each value over all processes."""
        return [max(column) for column in zip(*self.gathered(values), strict=True)]

    def from_first(self, value: Any) -> Any:
        """Return the JSON value that the first process gave."""
        return self.gathered(value)[0]

    def check_same(self, facts: Mapping[str, Any]) -> None:
        """Check that every process has the same JSON facts.

        Raises:
            HostsError: they differ; the message names one fact and both values.
        """
        ours, *others = self.gathered(dict(facts))
        for number, theirs in enumerate(others, start=1):
            for name in ours | theirs:
                if ours.get(name) != theirs.get(name):
                    raise HostsError(
                        f"Process 0 and process {number} ({self.addresses[number]}) have "
                        f"different {name}: {ours.get(name)!r} and {theirs.get(name)!r}; start "
                        f"all processes with the same options, data and version."
                    )

    def await_loss(self) -> None:
        """Wait until it is known which process is lost, if one is.

        JAX may notice first that the others do not answer, but does not say which.
        """
        self._reported.wait(self.silence + BEAT)

    def close(self, error: str | None = None) -> None:
        """Disconnect; with an `error` the other processes end, too."""
        self._ended.set()
        for peer in self._peers.values():
            with suppress(OSError):
                peer.send({"bye": error})
            peer.close()

    def _reach(self, other: int, place: tuple[str, int], deadline: float) -> socket.socket:
        """Return a connection to a process that may still be starting."""
        reason: object = "no answer"
        while (left := deadline - time.monotonic()) > 0:
            connection = None
            try:
                connection = socket.create_connection(place, timeout=min(left, 5.0))
                connection.sendall(self._hello(other))
                if _line(connection) == b"welcome":
                    return connection
                reason = "another program answers, or another job"
            except OSError as error:
                reason = error
            if connection is not None:
                connection.close()
            time.sleep(min(0.2, max(0.0, left)))
        raise HostsError(
            f"Process {other} ({self.addresses[other]}) cannot be reached: {reason}. Start it "
            f"with the same --hosts and --process {other}, and let the port through."
        )

    def _await_first(self, place: tuple[str, int], deadline: float) -> socket.socket:
        """Return the connection that the first process opens."""
        family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        try:
            server = socket.create_server(place, family=family)
        except OSError as error:
            raise HostsError(
                f"Process {self.number} cannot listen on {self.addresses[self.number]}: {error}. "
                f"--process {self.number} must run on that host, and the port must be free."
            ) from error
        with server:
            while (left := deadline - time.monotonic()) > 0:
                server.settimeout(left)
                with suppress(OSError):
                    connection, _ = server.accept()
                    if self._welcomed(connection):
                        return connection
                    connection.close()
        raise HostsError(
            f"Process 0 ({self.addresses[0]}) did not call. Start it with the same --hosts and "
            f"--process 0."
        )

    def _welcomed(self, connection: socket.socket) -> bool:
        """Return whether the first process of the same job has connected."""
        connection.settimeout(5.0)
        with suppress(OSError):
            if _line(connection) + b"\n" == self._hello(self.number):
                connection.sendall(b"welcome\n")
                return True
        return False

    def _hello(self, other: int) -> bytes:
        return json.dumps({"hosts": self.addresses, "process": other}).encode() + b"\n"

    def _add(self, number: int, connection: socket.socket) -> None:
        connection.settimeout(self.silence)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = self._peers[number] = _Peer(connection)
        threading.Thread(target=self._listen, args=(number, peer), daemon=True).start()

    def _beat(self) -> None:
        while not self._ended.wait(min(BEAT, self.silence / 4)):
            for peer in self._peers.values():
                with suppress(OSError):  # the listener says so
                    peer.send({})

    def _listen(self, number: int, peer: _Peer) -> None:
        """Handle the messages of a process until it disconnects or is lost."""
        with peer.connection, peer.lines:
            self._handle(number, peer)

    def _handle(self, number: int, peer: _Peer) -> None:
        try:
            for line in peer.lines:
                message = json.loads(line)
                if "value" in message:
                    peer.values.put(message["value"])
                elif "lost" in message:
                    return self._lose(message["lost"])
                elif "bye" in message:
                    if message["bye"] is None:
                        return None
                    return self._lose(f"{self._name(number)} failed: {message['bye']}")
            reason = "its connection closed"
        except TimeoutError:
            reason = f"it gave no sign of life for {self.silence:g} seconds"
        except (OSError, ValueError) as error:
            reason = str(error)
        return self._lose(f"{self._name(number)} was lost: {reason}")

    def _lose(self, sentence: str) -> None:
        if self._ended.is_set():
            return
        self._loss = sentence
        self._ended.set()
        for peer in self._peers.values():
            with suppress(OSError):
                peer.send({"lost": sentence})
        self.on_loss(sentence)
        self._reported.set()
        for peer in self._peers.values():  # wake up who waits for a value
            peer.values.put(HostsError(sentence))

    def _name(self, number: int) -> str:
        return f"process {number} ({self.addresses[number]})"


class _Peer:
    """One connection: lines of JSON in both directions."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.lines = connection.makefile("rb")
        self.values: queue.Queue[Any] = queue.Queue()
        self._lock = threading.Lock()

    def send(self, message: Mapping[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        with self._lock:
            self.connection.sendall(data)

    def next_value(self) -> Any:
        value = self.values.get()
        if isinstance(value, HostsError):
            raise value
        return value

    def close(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)


@contextmanager
def together(addresses: Sequence[str], number: int) -> Iterator[Hosts]:
    """Join the processes of a job, and leave them when all are done or this one fails.

    Raises:
        HostsError: see `Hosts`.
    """
    hosts = Hosts(addresses, number)
    try:
        yield hosts
        hosts.gathered(None)
    except BaseException as error:
        if isinstance(error, RuntimeError):
            hosts.await_loss()
        hosts.close(str(error) or type(error).__name__)
        raise
    hosts.close()


def address_parts(address: str) -> tuple[str, int]:
    """Return host and port of `host:port`.

    Raises:
        HostsError: the address is malformed.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise HostsError(f"--hosts names host:port, such as 10.0.0.1:7801. Received: {address!r}")
    return host.strip("[]"), int(port)


def _line(connection: socket.socket, longest: int = 65536) -> bytes:
    """Return one line without its end, byte by byte, so that nothing after it is taken."""
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte or len(line) > longest:
            return b""
        line += byte
    return line[:-1]


def _end(sentence: str) -> None:
    print(f"\nhwr: {sentence}. Start all processes again with --resume.", file=sys.stderr)
    sys.stderr.flush()
    os._exit(LOST)
