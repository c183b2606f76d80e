"""Commands that train: the paper's networks, a run that was begun, recipes over many seeds and settings."""

import argparse
import functools
import os
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

from satcore.commands.terminal import COLUMN, Commands, add_device, add_in_turn, add_ship, percent_bar, usable_device

if TYPE_CHECKING:  # what a command needs it imports itself: torch takes a second
    from satcore.runs import Run


def add_to(commands: Commands) -> None:
    """Add these commands, in the order in which `--help` has them."""
    _train_parser(commands)
    _run_parser(commands)
    _sweep_parser(commands)


def _train_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "train",
        help="train networks and keep them",
        description="Train networks of the paper, one a core, and keep them on your own shelf. A command that was "
        "interrupted, however rudely, goes on where it was when given again.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as relu-mlp/saturated")
    parser.add_argument("--all", action="store_true", help="all of the paper's and the dendritic ones")
    parser.add_argument(
        "--again", action="store_true", help="also those that this recipe and seed have trained already"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the initial weights and the order of examples (default 0)"
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        help="in which products are made (default: the faster one here, by measurement). In that on its card a network "
        "may come out again bit for bit, where the processor rounds alike",
    )
    add_device(parser)
    add_ship(parser)
    parser.set_defaults(command=_train, interrupted="the same command goes on where it was")


def _train(options: argparse.Namespace) -> int:
    from satcore import library, runs
    from satcore.files import check_writable
    from satcore.recipes import RECIPES, WATCHED

    known = RECIPES | WATCHED
    for name in options.names:
        if name not in known:
            raise ValueError(f"expected a network out of {', '.join(known)}, got {name!r}")
    if options.all == bool(options.names):
        raise ValueError(
            f"expected the names of the networks to train, or --all, got {'both' if options.all else 'neither'}"
        )
    device = usable_device(options.device)
    check_writable(library.SHIPPED if options.ship else library.user_shelf() / library.OWN)
    wanted = []
    for name in RECIPES if options.all else dict.fromkeys(options.names):
        run = runs.Run(known[name], options.seed)
        there = None if options.again else runs.trained(run, shipped=options.ship or None)
        if there:
            print(f"{name}: trained with this recipe and seed already, kept as {there} (--again trains it anew)")
        else:
            wanted.append(run)
    for run in wanted if options.precision else ():  # before any of them begins
        runs.began_in(run, options.precision)
    asked = {"ship": options.ship, "device": device, "precision": options.precision}
    if wanted:
        _follow(wanted, functools.partial(runs.begin, in_turn=False, **asked), ship=options.ship)
    return 0


def _follow(wanted: list["Run"], begin: Callable[["Run"], subprocess.Popen], *, ship: bool) -> None:
    """Have the runs begun, one a core, with a bar each, and say under which name each network was kept."""
    from tqdm import tqdm

    from satcore import runs

    bars = {
        run: tqdm(desc=run.recipe.name, total=run.recipe.epochs, unit="epoch", position=position)
        for position, run in enumerate(wanted)
    }
    try:
        for run, epochs in runs.follow(wanted, begin, os.cpu_count() or 1):
            if bars[run].n == 0:  # the rate counts from here: it may have been taken up again, or have waited
                bars[run].n = bars[run].last_print_n = bars[run].initial = epochs
                bars[run].unpause()
            lines = runs.records(run.folder / runs.RECORDS)
            bars[run].set_postfix_str(runs.said(lines[-1]) if lines else "", refresh=False)
            bars[run].update(epochs - bars[run].n)
            if epochs == run.recipe.epochs:
                tqdm.write(f"{run.recipe.name}: {_kept(run, ship)}")
    finally:
        for bar in bars.values():
            bar.close()


def _kept(run: "Run", ship: bool) -> str:
    from satcore import runs

    name, wanted = runs.trained(run, shipped=ship), run.name(ship=ship)
    if name is None:
        return f"bit for bit the network {runs.trained(run)}, which is there already"
    return f"kept as {name}" + (
        "" if name == wanted else f", as another network is called {wanted} and nothing is overwritten"
    )


def _run_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "run",
        help="do a run that was begun, as the dashboard does",
        description="Do a run of training that was begun: its recipe and seed lie in a folder of your own shelf.",
    )
    parser.add_argument("key", metavar="KEY", help="the name of that folder")
    add_device(parser)
    add_in_turn(parser)
    add_ship(parser)
    parser.set_defaults(command=_run, interrupted="the same command goes on where it was")


def _run(options: argparse.Namespace) -> int:
    from satcore import background, runs

    if options.in_turn:
        background.give_way()
    run = runs.read(options.key)

    def keep(finished: runs.Finished) -> None:
        finished.keep(ship=options.ship)
        runs.forget(run)

    runs.carry_out(run, device=options.device, in_turn=options.in_turn, then=keep)
    return 0


def _sweep_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "sweep",
        help="train recipes over seeds and settings, and measure what comes of them",
        description="Train recipes of the library over many seeds and settings, and keep the figures of each network, "
        'and, with --keep, the network itself. What is there is not computed again; the page "Over seeds" shows it.',
    )
    parser.add_argument("names", nargs="+", metavar="RECIPE", help="such as relu-mlp/saturated")
    parser.add_argument("--seeds", default="0-4", metavar="SEEDS", help="such as 0-9, or 1,3,5 (default 0-4)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE,…",
        help="a setting and its values, such as lambda_max=0,1e-9 or widths=200x200; may be given again, for another",
    )
    parser.add_argument(
        "--on", default="local", metavar="ENGINE", help="local, one process a core, or dask://ADDRESS (default local)"
    )
    parser.add_argument("--keep", action="store_true", help="keep the networks, too, on your own shelf")
    parser.set_defaults(command=_sweep, interrupted="the same command goes on where it was")


def _sweep(options: argparse.Namespace) -> int:
    from satcore import library, sweeps
    from satcore.files import check_writable

    wanted = sweeps.variations(options.names, sweeps.seeds_in(options.seeds), sweeps.settings_in(options.set))
    check_writable(library.user_shelf())
    with percent_bar(f"{len(wanted)} networks") as bar:
        done = 0
        for trained in sweeps.sweep(wanted, on=options.on, keep=options.keep):
            done += 1
            bar.update(100 * done / len(wanted) - bar.n)
            figures, said = trained.figures, "".join(f", {name} {value}" for name, value in trained.settings.items())
            bar.write(
                f"{trained.recipe + said:{COLUMN}} seed {trained.seed:<4}{100 * figures['accuracy']:8.2f}"
                f"{100 * figures['fgsm_accuracy']:8.2f}{100 * figures['zero_gradient']:8.2f}"
            )
    print(f"{len(wanted) - done} of {len(wanted)} were there already; in percent: right, after FGSM, zero gradients")
    return 0
