"""Reading by a pool of actors on a Ray cluster, with Ray Data.

One task lists the sources and streams units of images as fast as the actors take them; each actor
holds one recognizer. Ray repeats the work of processes that die.
"""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

# No usage statistics are sent.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray.util.annotations import RayDeprecationWarning

from hwr.bulk.digest_set import Seen
from hwr.bulk.part_files import Row
from hwr.bulk.sources import list_entries
from hwr.bulk.transcribe import group
from hwr.bulk.unit_reader import BulkReader, Settings
from hwr.decoding.language_model import LANGUAGE_MODEL
from hwr.network.engine import chosen_engine
from hwr.parallel import limit_cores

#: Retries of a unit whose process dies; limited, since an image may be the cause.
RETRIES = 5

#: Units queued at an actor, so that it has work while rows are sent.
WAITING = 2

Batch = dict[str, Any]


class RayError(ValueError):
    """The cluster cannot be used; the message says why."""


def read_on_cluster(
    sources: Sequence[str],
    column: str | None,
    seen: Seen,
    *,
    settings: Settings,
    address: str | None = None,
    workers: int | None = None,
) -> Generator[list[Row], None, None]:
    """Yield rows that actors of a Ray cluster read, in any order.

    The sources must have the same paths on every node. This package and the model are sent to the
    nodes; the packages that reading requires must be installed there.

    Args:
        address: by default $RAY_ADDRESS, else a cluster of this machine, started if there is none.
        workers: actors of one core each; by default one for each core of the cluster.

    Raises:
        RayError: there is no such cluster.
    """
    # Every node runs the engine that the transcript records, whatever is installed there.
    engine = chosen_engine(settings.model, settings.engine)
    with _kit(settings.model) as kit, _connected(address, kit):
        count = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        # A block is one row, that is one unit: larger blocks would be collected for one actor.
        context.target_max_block_size = 1
        listed = tuple(str(Path.cwd() / source) for source in sources)  # a pattern stays one
        units = ray.data.from_items([0]).map_batches(
            _list_units,
            # In a list, the set stays a reference and is sent once.
            fn_args=(listed, column, [ray.put(seen)], count),
            batch_size=1,
            num_cpus=0,  # all cores are for the actors
        )
        pool = ray.data.ActorPoolStrategy(size=count, max_tasks_in_flight_per_actor=WAITING)
        with warnings.catch_warnings():
            # Ray 2.64 removes this argument without a replacement, see pyproject.toml.
            warnings.simplefilter("ignore", RayDeprecationWarning)
            rows = units.map_batches(
                _Actor,
                fn_constructor_args=(replace(settings, model=Path("model"), engine=engine),),
                batch_size=1,
                num_cpus=1,
                compute=pool,
                ray_remote_args_fn=lambda: {"max_task_retries": RETRIES},
            )
        for batch in rows.iter_batches(batch_size=None, prefetch_batches=WAITING):
            # With nothing left to read, a batch has no columns.
            yield from map(pickle.loads, batch.get("rows", ()))


def _list_units(
    _: Batch, sources: Sequence[str], column: str | None, seen: list[Any], workers: int
) -> Iterator[Batch]:
    """Yield units of entries; Ray restarts it if the process dies."""
    met: Seen = ray.get(seen[0])
    for unit in group(list_entries(sources, column, met.add), workers):
        yield {"unit": [pickle.dumps(unit)]}


class _Actor:
    """One recognizer in a process of its own."""

    def __init__(self, settings: Settings) -> None:
        limit_cores(1)
        self._read = BulkReader.load(settings)

    def __call__(self, batch: Batch) -> Batch:
        return {"rows": [pickle.dumps(self._read(pickle.loads(unit))) for unit in batch["unit"]]}


@contextmanager
def _kit(model: Path) -> Iterator[Path]:
    """Yield a temporary folder of this package, the language model and the model."""
    with tempfile.TemporaryDirectory(prefix="hwr-kit-") as name:
        kit = Path(name)
        # A wheel also holds a model and samples, which are not needed or copied below.
        ignore = shutil.ignore_patterns("__pycache__", "_assets")
        shutil.copytree(Path(__file__).parents[1], kit / "hwr", ignore=ignore)
        (kit / "assets").mkdir()
        if LANGUAGE_MODEL.is_file():
            shutil.copy(LANGUAGE_MODEL, kit / "assets" / LANGUAGE_MODEL.name)
        shutil.copytree(model, kit / "model")
        yield kit


@contextmanager
def _connected(address: str | None, kit: Path) -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address,
            runtime_env={"working_dir": str(kit)},
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        name = address or os.environ.get("RAY_ADDRESS", "of this machine")
        problem = str(error).splitlines()[0]
        raise RayError(f"The Ray cluster {name} cannot be used: {problem}") from error
    if threading.current_thread() is threading.main_thread():
        # Ray's handler of SIGTERM ends the process at once and loses pending rows.
        signal.signal(signal.SIGTERM, handler)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        # Ray prints messages on lost processes; stdout is for the result.
        with redirect_stdout(sys.stderr):
            yield
    finally:
        ray.shutdown()
