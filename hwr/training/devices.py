"""Data parallelism over all accelerators of one or several machines (JAX backend of Keras).

`keras.distribution.DataParallel` splits each batch; gradients, batch statistics and the loss are
those of the whole batch.
"""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Any

import keras
import numpy as np

from hwr.training.peers import Hosts, HostsError


def check_backend() -> None:
    """Check that several processes can train together.

    Raises:
        HostsError: Keras runs on another backend than JAX.
    """
    if keras.backend.backend() != "jax":
        raise HostsError(
            f"--hosts needs the JAX backend: pip install 'hwr[jax]' and set "
            f"KERAS_BACKEND=jax. Received: {keras.backend.backend()}"
        )


def join(hosts: Hosts) -> None:
    """Connect the JAX of all processes; call it before anything is computed.

    Raises:
        HostsError: JAX cannot.
    """
    import jax
    from jax.experimental import multihost_utils

    # XLA has no sums over several CPUs of its own; accelerators bring theirs (NCCL).
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # Ctrl-C and SIGTERM end a run after its present step, see `hwr.training.trainer`.
    jax.config.update("jax_enable_preemption_service", False)
    coordinator = hosts.addresses[0]
    _outlive_abort()
    os.environ.setdefault("JAX_COORDINATOR_BIND_ADDRESS", coordinator)
    try:
        keras.distribution.initialize(coordinator, hosts.count, hosts.number)
        # The devices connect at their first common sum and wait for it no longer than 30
        # seconds: so at once, before one machine has more to prepare than another.
        hosts.gathered(None)
        multihost_utils.sync_global_devices("hwr")
    except RuntimeError as error:
        raise HostsError(f"JAX cannot connect the processes of {coordinator}: {error}") from error


def _outlive_abort() -> None:
    """Delay the end of a process that JAX aborts, so that `hwr.training.peers` can say the reason.

    When the first process is lost, JAX in the others aborts within milliseconds, with many lines
    that do not name it, and allows no other reaction (JAX 0.10: its callback for that ends in
    std::bad_cast). The handler is the C library's own sleep, called with the number of the
    signal: six seconds, during which the other threads run on.
    """
    if os.name == "posix":
        library = ctypes.CDLL(None)
        library.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
        library.signal.restype = ctypes.c_void_p
        library.signal(signal.SIGABRT, ctypes.cast(library.sleep, ctypes.c_void_p))


def use_all(batch_size: int) -> int:
    """Let Keras use every device of every process from here on; return how many there are.

    Args:
        batch_size: images of a whole batch.

    Raises:
        HostsError: they cannot be shared out equally.
    """
    if keras.backend.backend() != "jax":
        return 1
    import jax

    count = jax.device_count()
    if batch_size % count:
        raise HostsError(
            f"A batch of {batch_size} images cannot be shared out equally among {count} devices; "
            f"choose a --batch-size that is a multiple of them."
        )
    if count > 1:
        shares = keras.distribution.DataParallel(auto_shard_dataset=False)
        keras.distribution.set_distribution(shares)
    return int(count)


def put(variable: Any, value: Any) -> None:
    """Assign an array to a variable of the network or the optimizer.

    Keras does so, but on several processes JAX then compares the values of all of them, which
    takes longer than a step: here they are known to be the same.
    """
    if keras.distribution.distribution() is None:
        variable.assign(value)
        return
    import jax

    array = np.asarray(value, keras.backend.standardize_dtype(variable.dtype))
    variable.assign(jax.make_array_from_process_local_data(variable.value.sharding, array))


def from_first(hosts: Hosts, arrays: list[Any]) -> list[Any]:
    """Return the arrays of the first process in every process; shapes are those given."""
    from jax.experimental import multihost_utils

    return list(multihost_utils.broadcast_one_to_all(arrays, is_source=hosts.first))
