"""A run: a folder that this process holds, and the engine that computes its stages."""

import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from distillgame.arena.config import Compute, GameConfig
from distillgame.arena.engines import Cluster, Engine, Pool, cluster_device, connected
from distillgame.arena.run.display import Live, Silent
from distillgame.arena.run.scheduler import execute, in_order
from distillgame.arena.run.spent import SpentStudents, restore
from distillgame.arena.stages import SampleStage, Stage
from distillgame.arena.store import Store, full_disk_is_an_error, holding, lock
from distillgame.errors import DistillgameError
from distillgame.models import pick_device, require_alignable

URL = re.compile(r"[a-z0-9]{2,}:/")
"""Matches paths that were made of a URL."""

MOST_WORKERS = 8
"""``auto`` starts no more worker processes than this."""


class Run:
    """A context in which stages are computed; it holds the lock of the run's folder and the engine.

    Workers start when they are first needed and stay until the context ends, so that a search that computes a few
    stages again and again starts them once.

    Attributes:
        root: The run's folder.
        store: The finished stages in it.

    Args:
        root: The run's folder, made if it is not there.
        config: Says on which device and by what stages are computed.
        progress: Whether to show progress on standard error.

    Raises:
        DistillgameError: If the folder is a URL, which as a path would be a folder of that name.
    """

    store: Store

    def __init__(self, root: Path, config: GameConfig, progress: bool = True):
        if URL.match(str(root)):
            raise DistillgameError(
                f"--out: '{root}' is a URL; name a folder of this machine, and set compute.store to the URL"
            )
        self.root = root
        self._config = config
        self._progress = progress
        self._known: dict[Stage, None] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Run":
        compute = self._config.compute
        with self._stack as stack:
            if compute.engine == "ray":
                stack.enter_context(connected(compute))
            remote = None if compute.store is None else stack.enter_context(holding(compute.store))
            self.store = Store(self.root, _pick_device(compute), remote)
            engine = Cluster(self.store, compute) if compute.engine == "ray" else _make_pool(self.store, self._config)
            stack.enter_context(lock(self.root))
            stack.enter_context(full_disk_is_an_error(self.root))
            stack.push(self._copy_outputs)
            self._engine: Engine = stack.enter_context(engine)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def _copy_outputs(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self.store.remote is not None:
            self.store.remote.copy_outputs(self.root)

    def compute(self, stages: Sequence[Stage], last: bool = False) -> None:
        """Compute what is missing of ``stages`` and of their inputs.

        A student whose weights were deleted is trained again if a missing stage reads it.

        Args:
            stages: The stages whose results are wanted.
            last: Nothing but these stages will read students that this run has trained: each student's weights are
                deleted once it is evaluated, unless the configuration says to keep them.

        Raises:
            DistillgameError: If a teacher and a proxy cannot be aligned (before anything runs), a stage fails, or the
                disk is full. What was finished until then is kept.
        """
        needed = in_order(stages)
        restore(self.store, needed, every=last and self._config.compute.keep_students)
        missing = [stage for stage in needed if not self.store.has(stage)]
        sampled = [stage for stage in missing if isinstance(stage, SampleStage)]
        for teacher, proxy in {(stage.model, proxy) for stage in sampled for proxy in stage.proxies.values()}:
            require_alignable(teacher.spec, proxy.spec)
        self._known |= dict.fromkeys(needed)
        spent = SpentStudents(self.store, self._known) if last and not self._config.compute.keep_students else None
        with ExitStack() as stack:
            display = stack.enter_context(Live()) if self._progress else Silent()
            execute(stages, self._engine, display, None if spent is None else spent.after)

    def folder(self, stage: Stage) -> Path:
        """Return the folder of a finished stage, its files verified.

        Raises:
            DistillgameError: If it is not finished, or a file is missing or changed.
        """
        return self.store.folder(stage)


def _pick_device(compute: Compute) -> str:
    """Return the device that stages run on: that of the cluster's nodes, or of this machine.

    Raises:
        DistillgameError: If a GPU is asked for here and there is none.
    """
    if compute.engine != "ray":
        return pick_device(compute.device, "compute.device")
    # A node with a GPU may join later: whoever asks for one gets it, or is told by the first stage that none has.
    return cluster_device() if compute.device == "auto" else compute.device


def _make_pool(store: Store, config: GameConfig) -> Pool:
    return Pool(store, pick_workers(config, store.device), pick_gpus(config))


def pick_workers(config: GameConfig, device: str) -> int:
    """Return the number of worker processes.

    Raises:
        DistillgameError: If vLLM splits networks over more GPUs than there are for these workers.
    """
    asked = config.compute.workers
    if device != "cuda":
        return min(MOST_WORKERS, len(os.sched_getaffinity(0))) if asked == "auto" else asked
    import torch

    there, each = torch.cuda.device_count(), pick_gpus(config)
    workers = max(1, there // each) if asked == "auto" else asked
    # Without tensor parallelism workers may share a GPU, as they always could.
    if each > 1 and workers * each > there:
        raise DistillgameError(
            f"{workers} workers with {each} GPUs each (tensor_parallel_size, training.devices) "
            f"need {workers * each} GPUs (found {there})"
        )
    return workers


def pick_gpus(config: GameConfig) -> int:
    """Return the number of GPUs that a worker needs: those over which vLLM splits a network, or that train together."""
    engines = [each.engine for each in (config.sampling, config.evaluation) if each.engine is not None]
    return max([config.training.devices, *(engine.tensor_parallel_size for engine in engines)])
