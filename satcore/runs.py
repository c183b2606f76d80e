"""Runs of training as folders on the user's shelf: whoever looks follows the files, and nobody owns a queue.

A run's folder holds its recipe and seed, a line for each epoch, and the state from which it goes on. Once it is done,
all that stays is a network on a shelf, with those lines.
"""

import contextlib
import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from satcore import background, data, geometry, library, weights
from satcore.background import Report
from satcore.evaluation import measure
from satcore.files import part_of, read_whole, sweep, write_whole, written
from satcore.library import RECORDS
from satcore.networks import Network
from satcore.recipes import RECIPES, WATCHED, Recipe
from satcore.training import EpochRecord, faster, train

RUN, STATE = "run.json", "state.safetensors"
KIND = "train"
MOST = 1 << 20  # bytes, of a recipe
PATH, POINTS = (3, 8), 41  # from which digit to which, in how many points
STOPS = 100  # epochs that one looks back at, of a longer training
LOOKED_AT, BINS = 200, 61  # test images whose pre-activations are counted, in how many bins
PAUSE = 0.2  # seconds between two looks at the files


@dataclass(frozen=True)
class Run:
    """A recipe and a seed, which is all that a network comes from."""

    recipe: Recipe
    seed: int = 0

    def __post_init__(self):
        if type(self.seed) is not int or not 0 <= self.seed < 2**32:
            raise ValueError(f"expected a seed from 0 to 2³²−1, got {self.seed!r}")

    @property
    def key(self) -> str:
        """What the run is, whatever it is called."""
        return f"{KIND}-{self.recipe.identity}-{self.seed}"

    @property
    def folder(self) -> Path:
        """Where it is kept while it isn't finished."""
        return background.folder(self.key)

    def name(self, *, ship: bool = False) -> str:
        """What its network is to be called on the user's shelf, or on the one that ships."""
        recipe, seed = self.recipe, self.seed
        if ship:
            return f"{recipe.family}/{recipe.training}" + (f"-seed-{seed}" if seed else "")
        return f"{library.OWN}/{library.slug(f'{recipe.family} {recipe.training} seed {seed}')}"

    def __str__(self) -> str:
        return f"{self.recipe.name}, seed {self.seed}"


@dataclass(frozen=True)
class Standing:
    """Where a run stands that isn't finished: who is at it, if anybody, and why it ended where it ended badly."""

    run: Run
    report: Report | None
    complaint: str


@dataclass(frozen=True)
class Finished:
    """What came of a run: its network, how long that took, on what and in which precision, and the epochs' `lines`."""

    run: Run
    network: Network
    seconds: float
    device: str
    precision: str
    lines: bytes

    @property
    def looked_at(self) -> bytes:
        """The lines of those epochs alone that one looks back at."""
        every = self.lines.splitlines(keepends=True)
        return b"".join(every[epoch] for epoch in stops(len(every)))

    def keep(self, *, ship: bool = False, label: str = "") -> str:
        """Put the network on the user's shelf, or on the one that ships, measured; the name that it has there.

        It is called by its training and seed unless a `label` is given. None is kept twice on the user's shelf: of one
        that is on a shelf already, bit for bit, the epochs are kept, where nothing is known of them.
        """
        recipe, seed, known = self.run.recipe, self.run.seed, {each.identity for each in (RECIPES | WATCHED).values()}
        there = library.same_as(self.network)
        if there and (library.describe(there).shipped or not ship):
            if not library.kept(there, RECORDS).exists():
                write_whole(library.place(there, RECORDS, ship=ship), self.looked_at)
            return there
        return library.add(
            self.network,
            label or self.run.name(ship=ship).partition("/")[2],
            group=recipe.family,
            training=recipe.training,
            origin="trained here" + ", by a changed recipe" * (recipe.identity not in known),
            measurements=dataclasses.asdict(measure(self.network, *data.load("test"))),
            recipe=recipe,
            seed=seed,
            seconds=self.seconds,
            device=self.device,
            precision=self.precision,
            records=self.lines if len(self.lines) <= library.MOST_RECORDS else self.looked_at,
            shelf=library.SHIPPED if ship else None,
        )


def stops(count: int) -> list[int]:
    """Which of so many epochs one looks back at, counted from 0: each of a few, else `STOPS`, evenly, from the first to
    the last.
    """
    return [round(k * (count - 1) / (STOPS - 1)) for k in range(STOPS)] if count > STOPS else list(range(count))


def trained(run: Run, *, shipped: bool | None = None) -> str | None:
    """The name of a sound network that came of this very recipe and seed, on any shelf, on the one that ships or on the
    user's own; None where there is none.
    """
    for card in library.catalogue().cards.values():
        of_this = card.recipe is not None and (card.recipe.identity, card.seed) == (run.recipe.identity, run.seed)
        if of_this and shipped in (None, card.shipped):
            with contextlib.suppress(ValueError):  # a damaged one doesn't count
                library.load(card.name)
                return card.name
    return None


def begin(
    run: Run, *, in_turn: bool = True, ship: bool = False, device: str | None = None, precision: str | None = None
) -> subprocess.Popen:
    """Start the run, or go on with it, in a process of its own, which survives this one.

    `in_turn`: only once no other run of this shelf is under way; `precision` as in `put_down`. Raises ValueError
    as it does, and OSError where it can't be begun.
    """
    put_down(run, precision)
    options = [*(["--ship"] if ship else []), *(["--device", device] if device else [])]
    return background.start(run.key, ["run", run.key, *options], in_turn=in_turn)


def put_down(run: Run, precision: str | None = None) -> None:
    """Make the run's folder, with what it is, where there is none; without a `precision` it is yet to be measured which
    one is the faster. Raises ValueError where the run was begun in another one.
    """
    sweep(background.folder(""))
    if not (run.folder / RUN).exists() or (precision and not began_in(run, precision)):
        write_whole(run.folder / RUN, _described(run, precision))


def began_in(run: Run, precision: str) -> bool:
    """Whether the run was begun, in this `precision`. Raises ValueError where it was begun in another one."""
    begun = _read(run.key)[1] if (run.folder / RUN).exists() else None
    if begun not in (None, precision):
        raise ValueError(
            f"expected {run} to go on in {begun}, as it began, got {precision}; delete {run.folder} to start again"
        )
    return begun is not None


def pause(run: Run) -> None:
    """Have whoever is at the run stop after the epoch that is under way; it can be begun again from there."""
    background.stop(run.key)


def cancel(run: Run) -> None:
    """Stop the run at once, and forget all that it has come to."""
    background.stop(run.key, at_once=True)
    with written(run.folder), contextlib.suppress(FileNotFoundError):
        hidden = part_of(run.folder)
        run.folder.rename(hidden)  # so that nobody meets half a run
        shutil.rmtree(hidden, ignore_errors=True)


def unfinished() -> dict[str, Standing]:
    """All runs of this shelf that aren't finished, by key, the latest first."""
    found = {}
    for path in sorted(background.folder("").glob(f"{KIND}-*/{RUN}"), key=_changed, reverse=True):
        key = path.parent.name
        with contextlib.suppress(ValueError):
            found[key] = _standing(key)
    return found


def _standing(key: str) -> Standing:
    run = read(key)
    try:
        return Standing(run, background.report(key), background.complaint(key))
    except OSError as error:  # of this run alone
        return Standing(run, None, str(error))


def read(key: str) -> Run:
    """The run of this `key`. Raises ValueError where there is none, or its file is damaged."""
    return _read(key)[0]


def records(path: Path) -> list[dict[str, Any]]:
    """The epochs' lines in the file `path`, those that can be read, in order; none where there is no such file."""
    with contextlib.suppress(ValueError):
        return parsed(read_whole(path, library.MOST_RECORDS))
    return []


def parsed(content: bytes) -> list[dict[str, Any]]:
    """The epochs' lines in the `content` of such a file."""
    found = []
    for line in content.splitlines():
        with contextlib.suppress(ValueError, RecursionError):  # the last one may just be being written
            record = json.loads(line)
            if isinstance(record, dict) and _is_of_an_epoch(record):
                found.append(record)
    return found


def _is_of_an_epoch(record: dict[str, Any]) -> bool:
    try:
        there = EpochRecord(**record)
        numbers = (there.lam, there.loss, there.penalty, there.accuracy, there.fgsm_accuracy, there.zero_gradient)
        return type(there.epoch) is int and all(
            isinstance(number, int | float) for number in (there.epochs, there.seconds, *numbers, *there.saturation)
        )
    except TypeError:
        return False


def carry_out(
    run: Run,
    *,
    device: str | None = None,
    in_turn: bool = False,
    follow: Callable[[EpochRecord], None] = lambda record: None,
    then: Callable[[Finished], None] = lambda finished: None,
) -> Finished | None:
    """Do the `run`, from where it was left, to its end; None where it was told to stop before, its state kept.

    `then` is called with what came of it before anybody else can be at the run.

    Raises ValueError where another process is at it, or where its state can't be read, and OSError where nothing can be
    written.
    """
    put_down(run)
    with background.at_work(run.key, in_turn=in_turn) as report, _told_to_stop() as told:
        _, precision = _read(run.key)
        if precision is None:
            precision = faster(run.recipe, device)
            write_whole(run.folder / RUN, _described(run, precision))
        state, path = run.folder / STATE, run.folder / RECORDS
        following = train(run.recipe, device, run.seed, state, precision=precision, watch=looks)
        with contextlib.closing(following), _Lines(path) as lines:
            record = None
            for record in following:
                line = _described_epoch(record)
                try:
                    lines.add(line)
                except BaseException as error:  # the epoch isn't on record: it is to be done again
                    following.throw(error)
                report(record.epoch / record.epochs, said(line))
                follow(record)
                if told and record.network is None:
                    return None
        assert record is not None and record.network is not None
        where = next(record.network.parameters()).device
        named = torch.cuda.get_device_name(where) if where.type == "cuda" else "one CPU core"
        finished = Finished(run, record.network.cpu(), record.seconds, named, precision, path.read_bytes())
        then(finished)
        return finished


def forget(run: Run) -> None:
    """Take away the folder of a run whose network has been kept."""
    shutil.rmtree(run.folder, ignore_errors=True)


def follow(wanted: list[Run], begin: Callable[[Run], subprocess.Popen], at_once: int) -> Iterator[tuple[Run, int]]:
    """Begin the runs, so many `at_once`, and say how many epochs each has come to whenever that has changed.

    Raises OSError with what it complained of where a run ended badly. Left early, it has those that it began pause.
    """
    waiting, at_work, seen = list(wanted), dict[Run, subprocess.Popen](), dict[Run, int]()
    try:
        while waiting or at_work:
            while waiting and len(at_work) < at_once:
                at_work[waiting[0]] = begin(waiting[0])
                waiting.pop(0)
            time.sleep(PAUSE)
            for run, process in list(at_work.items()):
                ended = process.poll()
                report, last = background.report(run.key), run.recipe.epochs
                done = round((report.done if report else 0) * last)
                epochs = last if ended == 0 else min(done, last - 1)  # after the last one its network is yet to be kept
                if epochs > seen.get(run, 0):
                    seen[run] = epochs
                    yield run, epochs
                if ended is not None:
                    del at_work[run]
                    if ended:
                        raise OSError(background.complaint(run.key) or f"expected {run} to end, got its process killed")
    finally:
        for process in at_work.values():
            process.terminate()  # which ends after the epoch that is under way


def said(line: dict[str, Any]) -> str:
    """What an epoch came to, in words, from its line."""
    saturation = "/".join(f"{100 * share:.0f}" for share in line["saturation"])
    return (
        f"λ {line['lam']:.3g}, loss {line['loss']:.4f}, accuracy {100 * line['accuracy']:.1f} %, FGSM "
        f"{100 * line['fgsm_accuracy']:.1f} %, zero gradients {100 * line['zero_gradient']:.1f} %, saturated "
        f"{saturation} %"
    )


@torch.no_grad()
def looks(network: Network) -> dict[str, Any]:
    """What can be seen of a network while it is trained.

    kurtosis  excess kurtosis of the weights, by layer; None where they don't differ
    weights   by layer: how many of them lie where, in bins of one width between `low` and `high`
    inputs    the same of the pre-activations, on 200 test images
    element   the length element (Eq. 12) at even steps from the first 3 to the first 8 of the test set
    """
    images, labels = data.load("test")
    source, target = (images[labels == digit][:1].to(next(network.parameters()).device) for digit in PATH)
    t = torch.linspace(0, 1, POINTS, device=source.device)[:, None, None, None]
    direction = (target - source).expand(POINTS, -1, -1, -1)
    h = network.pre_activations(images[:LOOKED_AT].to(source.device))
    return {
        "kurtosis": weights.kurtosis_by_layer(network),
        "weights": [_counted(w) for w in network.weights],
        "inputs": [_counted(there) for there in h],
        "element": _short(geometry.length_element(network, source + t * direction, direction)),
    }


def _counted(values: torch.Tensor) -> dict[str, Any]:
    values = values.detach().float().cpu().flatten()
    counts, edges = torch.histogram(values, BINS)
    low, high = _short(edges[[0, -1]])
    return {"low": low, "high": high, "counts": counts.int().tolist()}


def _short(values: torch.Tensor) -> list[float]:
    """To so many digits as can be seen: an epoch's line is read again and again."""
    return [float(f"{value:.5g}") for value in values.tolist()]


class _Lines:
    """A file of epochs' lines that is written to as they come; what a killed process has left half-written goes."""

    def __init__(self, path: Path):
        self.path, self.file = path, None

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()

    def add(self, record: dict[str, Any]) -> None:
        with written(self.path):
            if self.file is None:  # those of epochs that are now done again go
                there = parsed(read_whole(self.path, sys.maxsize)) if self.path.exists() else []
                before = [line for line in there if line["epoch"] < record["epoch"]]
                write_whole(self.path, b"".join(map(_line, before)))
                self.file = open(self.path, "ab")  # noqa: SIM115, closed on exit
            self.file.write(_line(record))
            self.file.flush()


def _described_epoch(record: EpochRecord) -> dict[str, Any]:
    fields = dataclasses.asdict(dataclasses.replace(record, network=None))
    return {name: value for name, value in fields.items() if name != "network"}


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode() + b"\n"


def _described(run: Run, precision: str | None) -> bytes:
    content = {"recipe": run.recipe.to_json(), "seed": run.seed, "precision": precision}
    return json.dumps(content, ensure_ascii=False).encode()


def _read(key: str) -> tuple[Run, str | None]:
    """The run of this `key`, and the precision that it was begun in, if it was."""
    path = background.folder(key) / RUN
    content = read_whole(path, MOST)
    try:
        fields = json.loads(content)
        run, precision = Run(Recipe.from_json(fields["recipe"]), fields["seed"]), fields["precision"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"expected a recipe and a seed in {path}, got a damaged file") from error
    if run.key != key:
        raise ValueError(f"expected the run {key} in {path}, got another one")
    return run, precision


def _changed(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


@contextlib.contextmanager
def _told_to_stop() -> Iterator[list[int]]:
    """Signals to end that came in the meantime, and that ended nothing; only the main thread can be told."""
    told: list[int] = []
    try:
        before = signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
    except ValueError:
        yield told
        return
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)
