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
from typing import Any

import torch
from tqdm import tqdm

from satcore import data, library
from satcore.evaluation import measure
from satcore.files import check_writable, sweep
from satcore.networks import Network
from satcore.recipes import RECIPES, Recipe
from satcore.training import EpochRecord, train

TRAINING = ".training"  # the folder on the user's shelf where runs that aren't finished keep their state
_records: Any = None  # in a worker: the queue to report to


def train_all(names: list[str], device: str, seed: int, *, ship: bool = False) -> None:
    """Train the networks `names`, and keep each on the user's shelf, or on the one that ships, as soon as it is done.

    Says of each in a sentence under which name it was kept. Raises ValueError where an interrupted run's state doesn't
    belong to its recipe, and OSError where nothing can be written or a process was killed; the other networks stop too,
    each with its state kept.
    """
    if not names:
        return
    folder = state_file(names[0], seed).parent
    for shelf in (folder, library.SHIPPED if ship else library.user_shelf() / library.OWN):
        check_writable(shelf)
    sweep(folder)
    context = multiprocessing.get_context("spawn")  # a forked process can't use CUDA
    records = context.Queue()
    workers = min(len(names), os.cpu_count() or 1)
    bars = {
        name: tqdm(desc=name, total=RECIPES[name].epochs, unit="epoch", position=position)
        for position, name in enumerate(names)
    }
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(workers, context, initializer=_prepare, initargs=(records,)) as pool:
        runs = [pool.submit(_train_and_keep, name, device, seed, ship) for name in names]
        try:
            while runs:
                ended = [run for run in runs if run.done()]  # before the queue is emptied, so that nothing is missed
                while (news := _next(records)) is not None:
                    _show(bars, *news)
                for run in ended:
                    tqdm.write(run.result())  # raises what the worker raised
                    runs.remove(run)
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


def state_file(name: str, seed: int) -> Path:
    """Where a run that isn't finished keeps its state."""
    return library.user_shelf() / TRAINING / f"{name.replace('/', '-')}-seed-{seed}.safetensors"


def keep(network: Network, recipe: Recipe, seed: int, *, ship: bool = False, **known: Any) -> str:
    """Keep a trained `network` with what else is `known` of it, and say in a sentence under which name, and why.

    The keywords are those of `library.add`. On the user's shelf it is not kept twice.
    """
    there = None if ship else library.same_as(network)
    if there:
        return f"{recipe.name}: bit for bit the network {there}, which is there already"
    if ship:
        label = recipe.training if seed == 0 else f"{recipe.training}-seed-{seed}"
        wanted = f"{recipe.family}/{label}"
    else:
        label = f"{recipe.family} {recipe.training} seed {seed}"
        wanted = f"{library.OWN}/{library.slug(label)}"
    name = library.add(
        network,
        label,
        group=recipe.family,
        training=recipe.training,
        origin="trained here",
        recipe=recipe,
        seed=seed,
        shelf=library.SHIPPED if ship else None,
        **known,
    )
    why = "" if name == wanted else f", as another network is called {wanted} and nothing is overwritten"
    return f"{recipe.name}: kept as {name}{why}"


def _train_and_keep(name: str, device: str, seed: int, ship: bool) -> str:
    recipe, state = RECIPES[name], state_file(name, seed)
    record = None
    for record in train(recipe, device, seed, state):
        _records.put((name, dataclasses.replace(record, network=None)))
    assert record is not None and record.network is not None
    network = record.network.cpu()
    said = keep(
        network,
        recipe,
        seed,
        ship=ship,
        measurements=dataclasses.asdict(measure(network, *data.load("test"))),
        seconds=record.seconds,
        device=torch.cuda.get_device_name(device) if device.startswith("cuda") else "one CPU core",
    )
    state.unlink(missing_ok=True)
    return said


def _prepare(records: Any) -> None:
    """In each worker: the queue to report to, one thread, and an end when the command is killed."""
    global _records
    _records = records
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the command's to handle
    torch.set_num_threads(1)  # also makes the weights the same however many networks are trained at once
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    command = multiprocessing.parent_process()
    if command is not None:
        command.join()
        os._exit(1)


def _next(records: Any) -> tuple[str, EpochRecord] | None:
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
