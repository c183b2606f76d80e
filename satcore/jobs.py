"""Many networks trained side by side: one process and one core each, one progress bar each."""

import dataclasses
import multiprocessing
import os
import queue
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import torch
from tqdm import tqdm

from satcore import checkpoints, data
from satcore.evaluation import measure
from satcore.recipes import RECIPES
from satcore.training import EpochRecord, train


def train_all(names: list[str], device: str, seed: int, folder: Path) -> None:
    """Train the networks `names` and keep each in `folder` as soon as it is done.

    Raises ValueError where an interrupted run's state doesn't belong to its recipe, and OSError where
    `folder` can't be written or a process was killed; the other networks stop too, each with its state kept.
    """
    if not names:
        return
    context = multiprocessing.get_context("spawn")  # a forked process can't use CUDA
    records = context.Queue()
    workers = min(len(names), os.cpu_count() or 1)
    bars = {
        name: tqdm(desc=name, total=RECIPES[name].epochs, unit="epoch", position=position)
        for position, name in enumerate(names)
    }
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(workers, context, initializer=_prepare, initargs=(records,)) as pool:
        runs = [pool.submit(_train_and_keep, name, device, seed, folder) for name in names]
        try:
            while True:
                ended = [run for run in runs if run.done()]  # before the queue is emptied, so that nothing is missed
                while (news := _next(records)) is not None:
                    _show(bars, *news)
                for run in ended:
                    run.result()  # raises what the worker raised
                if len(ended) == len(runs):
                    break
        except BaseException as error:
            for worker in set(multiprocessing.active_children()) - others:  # all that they have done is on disk
                worker.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                raise OSError(
                    "expected every network's process to come to its end, but one was killed (perhaps the "
                    "memory ran out); the same command goes on where it was"
                ) from error
            raise
        finally:
            for bar in bars.values():
                bar.close()


def state_file(name: str, seed: int, folder: Path) -> Path:
    """Where a run that isn't finished keeps its state."""
    return folder / ".training" / f"{name}-seed{seed}.safetensors"


def _train_and_keep(name: str, device: str, seed: int, folder: Path) -> None:
    recipe, state = RECIPES[name], state_file(name, seed, folder)
    for record in train(recipe, device, seed, state):
        _records.put((name, dataclasses.replace(record, network=None)))
    hardware = torch.cuda.get_device_name(device) if device.startswith("cuda") else "one CPU core"
    checkpoints.save(
        record.network,
        recipe,
        seed=seed,
        seconds=record.seconds,
        device=hardware,
        measurements=dataclasses.asdict(measure(record.network.cpu(), *data.load("test"))),
        folder=folder,
    )
    state.unlink(missing_ok=True)


def _prepare(records: multiprocessing.Queue) -> None:
    """In each worker: the queue to report to, one thread, and an end when the command is killed."""
    global _records
    _records = records
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the command's to handle
    torch.set_num_threads(1)  # also makes the weights the same however many networks are trained at once
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def _next(records: multiprocessing.Queue) -> tuple[str, EpochRecord] | None:
    try:
        return records.get(timeout=0.2)
    except queue.Empty:
        return None


def _show(bars: dict[str, tqdm], name: str, record: EpochRecord) -> None:
    bar = bars[name]
    if bar.n == 0:  # the rate counts from here: a run may have been taken up again, or have waited for a core
        bar.n = bar.last_print_n = bar.initial = record.epoch - 1
        bar.unpause()
    saturation = "/".join(f"{100 * share:.0f}" for share in record.saturation)
    bar.set_postfix_str(
        f"λ {record.lam:.3g}, loss {record.loss:.4f}, penalty {record.penalty:.3g}, "
        f"accuracy {100 * record.accuracy:.1f} %, FGSM {100 * record.fgsm_accuracy:.1f} %, "
        f"zero gradients {100 * record.zero_gradient:.1f} %, saturated {saturation} %",
        refresh=False,
    )
    bar.update(record.epoch - bar.n)
