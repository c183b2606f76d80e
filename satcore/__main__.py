"""The command line: python -m satcore COMMAND."""

import argparse
import contextlib
import functools
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from satcore import memory

if TYPE_CHECKING:  # what a command needs it imports itself: torch takes a second
    from tqdm import tqdm

    from satcore.library import Card
    from satcore.networks import Network
    from satcore.runs import Run

BAR = "{l_bar}{bar}| {elapsed}<{remaining} {postfix}"
COLUMN = 34  # a name's


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 2 after one line that says what was wrong."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no λ is no reason to stop
    options = _parser().parse_args(arguments)
    try:
        if options.shelf is not None:
            _use_shelf(options.shelf)
        status = options.command(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read the output has seen enough
        _mute_where_broken(sys.stdout)
        return 1
    except (ValueError, OSError, MemoryError) as error:
        _complain(_sentence(error))
        _mute_where_broken(sys.stdout)
        return 2
    except KeyboardInterrupt:
        _complain(f"interrupted; {options.interrupted}")
        return 130


def _parser() -> argparse.ArgumentParser:
    called = Path(sys.argv[0]).name
    parser = argparse.ArgumentParser(
        prog="satcore" if called.startswith("satcore") else "python -m satcore",
        description="Saturated networks on MNIST.",
    )
    parser.set_defaults(interrupted="nothing was changed")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser(
        "train",
        help="train networks and keep them",
        description="Train networks of the paper, one a core, and keep them on your own shelf. A command that was "
        "interrupted, however rudely, goes on where it was when given again.",
    )
    train.add_argument("names", nargs="*", metavar="NAME", help="such as relu-mlp/saturated")
    train.add_argument("--all", action="store_true", help="all that there are recipes of")
    train.add_argument("--again", action="store_true", help="also those that this recipe and seed have trained already")
    train.add_argument(
        "--seed", type=int, default=0, help="of the initial weights and the order of examples (default 0)"
    )
    train.set_defaults(command=_train, interrupted="the same command goes on where it was")

    run = commands.add_parser(
        "run",
        help="do a run that was begun, as the dashboard does",
        description="Do a run of training that was begun: its recipe and seed lie in a folder of your own shelf.",
    )
    run.add_argument("key", metavar="KEY", help="the name of that folder")
    run.set_defaults(command=_run, interrupted="the same command goes on where it was")

    sweep = commands.add_parser(
        "sweep",
        help="train recipes over seeds and settings, and measure what comes of them",
        description="Train recipes of the library over many seeds and settings, and keep the figures of each network, "
        'and, with --keep, the network itself. What is there is not computed again; the page "Over seeds" shows it.',
    )
    sweep.add_argument("names", nargs="+", metavar="RECIPE", help="such as relu-mlp/saturated")
    sweep.add_argument("--seeds", default="0-4", metavar="SEEDS", help="such as 0-9, or 1,3,5 (default 0-4)")
    sweep.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE,…",
        help="a setting and its values, such as lambda_max=0,1e-9 or widths=200x200; may be given again",
    )
    sweep.add_argument(
        "--on", default="local", metavar="ENGINE", help="local, one process a core, or dask://ADDRESS (default local)"
    )
    sweep.add_argument("--keep", action="store_true", help="keep the networks, too, on your own shelf")
    sweep.set_defaults(command=_sweep, interrupted="the same command goes on where it was")

    evaluate = commands.add_parser(
        "evaluate",
        help="recompute Table 1 from the networks, beside the paper's",
        description="Recompute Table 1 from the networks: accuracy on the test set, accuracy after FGSM (ε = 0.25, "
        "float32 autograd), and the share of test images whose gradient was exactly zero.",
    )
    evaluate.set_defaults(command=_evaluate)

    grids = commands.add_parser(
        "grids",
        help="fill the grids of targeted attacks",
        description="Fill the 10×10 grids of the paper's Fig. 5 and 8 for each network, and keep them: L-BFGS with "
        "1,000 iterations, Adam with 100,000. Those that are there already are left as they are.",
    )
    grids.set_defaults(command=_grids, interrupted="the same command goes on after the last grid that was finished")

    reality = commands.add_parser(
        "reality",
        help="find out how much of the robustness is real",
        description="Climb the ladder of attacks at every ε, on 500 random test images for an MLP and 100 for a CNN, "
        "prove what can be proven, and keep what was found. Minutes for an MLP, half an hour for a "
        "CNN. What is there already is left as it is.",
    )
    reality.set_defaults(command=_reality, interrupted="the same command goes on after the last part it finished")

    certify = commands.add_parser(
        "certify",
        help="prove or break every test image, of networks that step first",
        description="Decide of every test image, within seven ε, whether any attack at all can make a network that "
        "steps pixel by pixel classify it wrongly, and keep the verdicts. Minutes for an MLP. What is there already is "
        "left as it is; images that were left open with fewer seconds are tried again.",
    )
    certify.add_argument("--seconds", type=float, default=0.05, help="an image, in the mean (default: 0.05)")
    certify.set_defaults(command=_certify, interrupted="the same command goes on after the last ε it finished")

    beyond = commands.add_parser(
        "beyond",
        help="try what no proof within an L∞ ball speaks of",
        description="Change a few pixels at will, attack within L2 balls, move, light and fade the images, and keep "
        "how many stay right. Minutes a network. What is there already is left as it is.",
    )
    beyond.set_defaults(command=_beyond, interrupted="the same command goes on after the last network it finished")

    factorial = commands.add_parser(
        "factorial",
        help="train sixteen networks with and without step, ramp, bounds and penalty, and measure what each does",
        description="Train sixteen networks of one shape, with and without a step before them, ramps, bounds in the "
        "loss and the paper's penalty, measure each, and say what each factor contributes. An hour on one core. What "
        "is there already is left as it is.",
    )
    factorial.set_defaults(command=_factorial, interrupted="the same command goes on where it was")

    claims = commands.add_parser(
        "claims",
        help="judge the paper claim by claim",
        description="Judge every claim of the paper by what is stored with its networks, and by what is found out anew "
        "in some three minutes, and keep the verdicts.",
    )
    claims.set_defaults(command=_claims)

    for command in (evaluate, grids, reality, certify, beyond):
        command.add_argument("names", nargs="*", metavar="NAME", help="such as relu-mlp/saturated (default: all)")
    for command in (train, run, evaluate):
        command.add_argument("--device", help="such as cpu or cuda (default: cuda where there is one)")
    for command in (run, reality):
        command.add_argument(
            "--in-turn", action="store_true", help="nice, and only once no other such work on your shelf is under way"
        )
    for command in (train, run, grids, reality, certify, beyond, factorial, claims):
        command.add_argument("--ship", action="store_true", help="for maintainers: write to the shelf that ships")

    story = commands.add_parser(
        "story",
        help="the dashboard's story as pictures",
        description="Draw the dashboard's story, a picture a scene, in a browser that Playwright leads. Nothing is "
        "overwritten.",
    )
    where = story.add_mutually_exclusive_group(required=True)
    where.add_argument("--folder", type=Path, metavar="DIR", help="of SVGs, which isn't there yet, or is empty")
    where.add_argument("--pdf", type=Path, metavar="FILE", help="a PDF, which isn't there yet")
    story.set_defaults(command=_story)

    room = commands.add_parser(
        "room",
        help="the dashboard for a talk in which the room takes part, by phone",
        description="Serve the dashboard as `streamlit run app.py` does, on this machine alone, and beside it, to "
        "whoever reaches this machine, one page on which phones draw a digit and vote which network falls.",
    )
    room.add_argument(
        "--address", metavar="HOST", help="of this machine, by which phones reach it (default: that on its network)"
    )
    room.add_argument("--port", type=int, default=8600, metavar="N", help="of that page (default 8600)")
    room.set_defaults(command=_room, interrupted="the room is closed")

    listing = commands.add_parser("list", help="all networks of all shelves, one a line")
    listing.add_argument("--group", metavar="G", help="only those of this group, such as relu-mlp, or mine")
    listing.set_defaults(command=_list)
    show = commands.add_parser("show", help="all that is known of a network")
    show.add_argument("name", metavar="NAME", help="such as relu-mlp/saturated")
    show.set_defaults(command=_show)
    add = commands.add_parser("add", help="put a network from elsewhere on your own shelf, and measure it")
    add.add_argument("file", type=Path, metavar="FILE.onnx", help="an ONNX file with one image in and ten logits out")
    add.add_argument("--name", required=True, metavar="LABEL", help="what to call it: mine/LABEL")
    add.set_defaults(command=_add)
    committee = commands.add_parser(
        "committee",
        help="make one network of several, and measure it",
        description="Make one network of several of one architecture, whose logits are the mean of theirs, put it on "
        "your own shelf, and measure it.",
    )
    committee.add_argument("names", nargs="+", metavar="NAME", help="such as cnn/dendritic, two or more")
    committee.add_argument("--name", required=True, metavar="LABEL", help="what to call it")
    committee.add_argument("--half", action="store_true", help="round its weights to float16: half the file")
    committee.set_defaults(command=_committee)
    remove = commands.add_parser("remove", help="take a network off your own shelf, with all that is known of it")
    remove.add_argument("name", metavar="NAME", help="such as mine/wide-tanh")
    remove.set_defaults(command=_remove)

    for command in commands.choices.values():
        command.add_argument(
            "--shelf", metavar="DIR", help="your own shelf (default: $SATCORE_SHELF, or a folder among your data)"
        )
    return parser


def _use_shelf(folder: str) -> None:
    """Take `folder` for the user's own shelf, in this process and those that it starts."""
    if not folder:
        raise ValueError("expected a folder after --shelf, got none")
    os.environ["SATCORE_SHELF"] = os.path.abspath(folder)


def _train(options: argparse.Namespace) -> int:
    from satcore import library, runs
    from satcore.files import check_writable
    from satcore.recipes import RECIPES

    for name in options.names:
        if name not in RECIPES:
            raise ValueError(f"expected a network out of {', '.join(RECIPES)}, got {name!r}")
    if options.all == bool(options.names):
        raise ValueError(
            f"expected the names of the networks to train, or --all, got {'both' if options.all else 'neither'}"
        )
    device = _device(options.device)
    check_writable(library.SHIPPED if options.ship else library.user_shelf() / library.OWN)
    wanted = []
    for name in RECIPES if options.all else dict.fromkeys(options.names):
        run = runs.Run(RECIPES[name], options.seed)
        there = None if options.again else runs.trained(run, shipped=options.ship or None)
        if there:
            print(f"{name}: trained with this recipe and seed already, kept as {there} (--again trains it anew)")
        else:
            wanted.append(run)
    if wanted:
        _follow(wanted, device, ship=options.ship)
    return 0


def _follow(wanted: list["Run"], device: str, *, ship: bool) -> None:
    """Begin the runs, one a core, with a bar each, and say under which name each network was kept."""
    from tqdm import tqdm

    from satcore import runs

    bars = {
        run: tqdm(desc=run.recipe.name, total=run.recipe.epochs, unit="epoch", position=position)
        for position, run in enumerate(wanted)
    }
    begin = functools.partial(runs.begin, in_turn=False, ship=ship, device=device)
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


def _sweep(options: argparse.Namespace) -> int:
    from satcore import library, sweeps
    from satcore.files import check_writable

    wanted = sweeps.variations(
        options.names, sweeps.seeds_in(options.seeds), dict(sweeps.setting_in(said) for said in options.set)
    )
    check_writable(library.user_shelf())
    with _bar(f"{len(wanted)} networks") as bar:
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


def _evaluate(options: argparse.Namespace) -> int:
    import dataclasses

    from satcore import data, library
    from satcore.evaluation import measure
    from satcore.paper import TABLE_1

    device = _device(options.device)
    names = _names(options)
    test = data.Examples(*(tensor.to(device) for tensor in data.load("test")))
    print(f"{len(test.labels):,} test images, in percent. FGSM: ε = 0.25, one step, float32 autograd.")
    print("zero gradient: images on which that gradient was exactly zero, so that FGSM changed nothing.\n")
    print(
        f"{'':{COLUMN}}{'clean':>8}{'paper':>8}{'FGSM':>10}{'paper':>8}{'zero gradient':>16}   excess kurtosis by layer"
    )

    def row(name: str) -> None:
        network, card = library.load(name, device), library.describe(name)
        measured = measure(network, *test)
        if not card.shipped and not card.measurements:
            library.measured(name, dataclasses.asdict(measured))
        paper = TABLE_1.get(f"{card.group}/{card.training}")
        clean, robust = (f"{value:.2f}" for value in paper) if paper else ("–", "–")
        print(
            f"{name:{COLUMN}}{100 * measured.accuracy:8.2f}{clean:>8}{100 * measured.fgsm_accuracy:10.2f}{robust:>8}"
            f"{100 * measured.zero_gradient:16.2f}   {_kurtosis(measured.kurtosis)}",
            flush=True,
        )

    return _one_after_another(names, row)


def _grids(options: argparse.Namespace) -> int:
    from satcore import library
    from satcore.evaluation import grids
    from satcore.files import check_writable

    def fill(name: str) -> None:
        sha256 = library.describe(name).sha256
        for setting in grids.shipped(name):
            grid = grids.load(name, setting)
            if grid is None:
                check_writable(library.place(name, "grids", ship=options.ship))
                with _bar(f"{name}, {setting.source}, {setting.attack}, {setting.gradient}") as bar:
                    for filling in grids.fill(library.load(name), setting):
                        bar.update(100 * filling.done - bar.n)
                    grid = filling.grid
                library.check_same(name, sha256)
                grids.save(name, setting, grid, ship=options.ship)
            print(
                f"{name:{COLUMN}}{setting.source:18}{setting.attack:8}{setting.gradient:10}"
                f"{grid.fooled:4} of 90 fooled",
                flush=True,
            )

    return _one_after_another(_names(options), fill)


def _reality(options: argparse.Namespace) -> int:
    from satcore import background
    from satcore.evaluation import reality

    if options.in_turn:
        background.give_way()

    def examine(name: str) -> None:
        with background.at_work(reality.work(name), in_turn=options.in_turn) as report:
            _examine(name, report, ship=options.ship, quiet=options.in_turn)

    return _one_after_another(_names(options), examine)


def _examine(name: str, report: Callable[[float, str], None], *, ship: bool, quiet: bool) -> None:
    """Find out what isn't known of the network `name` yet, and keep it part by part."""
    from satcore import library
    from satcore.evaluation import reality
    from satcore.files import check_writable

    check_writable(library.place(name, reality.FILE, ship=ship).parent)
    sha256 = library.describe(name).sha256
    network, vanilla = library.load(name), library.vanilla_beside(name)
    source, found = library.load(vanilla) if vanilla else None, reality.load(name)
    with _bar(name, quiet=quiet) as bar:
        for progress in reality.examine(network, source, reality.plan(network), found):
            if progress.found != found:
                found = progress.found
                library.check_same(name, sha256)
                reality.save(name, found, ship=ship)
            report(progress.done, progress.says)
            bar.set_postfix_str(progress.says)
            bar.update(100 * progress.done - bar.n)
    assert found is not None
    print(f"{name:{COLUMN}}{reality.verdict(found)}", flush=True)


def _certify(options: argparse.Namespace) -> int:
    from satcore import library, networks
    from satcore.evaluation import certificates
    from satcore.files import check_writable

    def work(name: str) -> None:
        check_writable(library.place(name, certificates.FILE, ship=options.ship).parent)
        with _bar(name) as bar:
            for done, says in certificates.find(name, seconds=options.seconds, ship=options.ship):
                bar.set_postfix_str(says)
                bar.update(100 * done - bar.n)
        for there in certificates.load(name):
            print(
                f"{name:{COLUMN}}ε = {there.epsilon:g}: proven {100 * there.proven.share:.2f} % "
                f"(by intervals {100 * there.intervals.share:.2f} %), not broken {100 * there.standing.share:.2f} %, "
                f"clean {100 * there.clean.share:.2f} % of {there.images:,}, in {there.took:.0f} s",
                flush=True,
            )

    cards = library.catalogue().cards
    stepping = [name for name, card in cards.items() if networks.steps_first(card.architecture)]
    asked = [name for name in _names(options) if options.names or name in stepping]
    return _one_after_another(asked, work)


def _beyond(options: argparse.Namespace) -> int:
    from satcore.evaluation import beyond

    def work(name: str) -> None:
        found = beyond.find(name, ship=options.ship)
        print(f"{name:{COLUMN}}{beyond.in_words(found)}", flush=True)

    return _one_after_another(_names(options), work)


def _factorial(options: argparse.Namespace) -> int:
    from satcore import runs
    from satcore.evaluation import factorial

    path = factorial.place(ship=options.ship)
    there = {cell.factors for cell in factorial.load(path)}
    for factors in (factors for factors in factorial.CELLS if factors not in there):
        run = runs.Run(factorial.recipe(factors))
        finished = runs.carry_out(run)
        if finished is None:
            return 1
        if factors in factorial.SHOWN:
            finished.keep(ship=options.ship, label=factorial.called(factors))
        cell = factorial.measured(factors, finished.network)
        factorial.append(cell, path)
        runs.forget(run)
        print(f"{factorial.called(factors):{COLUMN}}{factorial.in_words(cell)}", flush=True)
    for figure in ("standing", "proven"):
        for effect in factorial.effects(factorial.load(path), figure):
            print(
                f"{effect.factor:{COLUMN}}{figure} {100 * effect.mean:+.1f} points "
                f"({100 * effect.low:+.1f} to {100 * effect.high:+.1f})"
            )
    return 0


def _claims(options: argparse.Namespace) -> int:
    from satcore.evaluation import claims
    from satcore.files import check_writable

    check_writable(claims.place(ship=options.ship).parent)
    found = None
    with _bar("the paper's claims") as bar:
        for progress in claims.compute():
            bar.set_postfix_str(progress.says)
            bar.update(100 * progress.done - bar.n)
            found = progress.found
    assert found is not None
    claims.save(found, ship=options.ship)
    for claim in claims.CLAIMS:
        print(f"{claim.name:{COLUMN}}{found[claim.name].verdict}")
    print(f"\n{', '.join(f'{count} {verdict}' for verdict, count in claims.tally(found.values()).items())}")
    return 0


def _story(options: argparse.Namespace) -> int:
    from satcore.dashboard.story import export

    write, where = (export.to_pdf, options.pdf) if options.pdf else (export.to_folder, options.folder)
    for name in write(where):
        print(name, flush=True)
    print(f"the story is in {where}")
    return 0


def _room(options: argparse.Namespace) -> NoReturn:
    from satcore import room
    from satcore.dashboard.shared.served import serve

    if options.port == 0:  # any that is free: phones couldn't be told which
        raise ValueError("expected a port from 1 to 65535, got 0")
    host = options.address or room.lan_address()
    room.listening(host, options.port).close()  # what can't be is said before the dashboard starts
    os.environ[room.ASKED] = f"{host}:{options.port}"
    print(
        f"Whoever reaches http://{host}:{options.port} can draw 28×28 pixels there, vote, and read which networks are "
        f"on vote, up to {room.MOST} phones; the dashboard itself stays on this machine.",
        flush=True,
    )
    serve()


def _list(options: argparse.Namespace) -> int:
    from satcore import library

    found = library.catalogue()
    cards, damaged = list(found.cards.values()), found.damaged
    if options.group is not None:
        groups = sorted({group for card in cards for group in _groups(card)})
        cards = [card for card in cards if options.group in _groups(card)]
        damaged = {name: why for name, why in damaged.items() if name.startswith(f"{options.group}/")}
        if not cards and not damaged:
            raise ValueError(f"expected a group out of {', '.join(groups) or '(none is there)'}, got {options.group!r}")
    print(f"{'network':{COLUMN}}{'clean':>8}{'FGSM':>8}{'zero':>8}  {'SHA-256':14}architecture")
    for card in cards:
        print(_row(card))
    for name, why in damaged.items():
        print(f"{name:{COLUMN}}{why}")
    print(f"\nin percent; zero: gradients that are exactly zero. Your own shelf: {library.user_shelf()}")
    return 0


def _show(options: argparse.Namespace) -> int:
    from satcore import library, networks

    card = library.describe(options.name)
    known = {
        "from": card.history,
        "group": ", ".join(word for word in (card.group, card.training) if word) or "none",
        "architecture": networks.described(card.architecture),
    }
    if card.measurements:
        measured = card.measurements
        known |= {
            "accuracy": f"{100 * measured['accuracy']:.2f} % of {measured['images']:,} test images",
            "after FGSM": f"{100 * measured['fgsm_accuracy']:.2f} % (ε = {measured['epsilon']:g}, cross-entropy, "
            f"float32 autograd){_withstood(measured)}",
            "zero gradients": f"{100 * measured['zero_gradient']:.2f} %, on which FGSM changed nothing",
            "kurtosis": f"{_kurtosis(measured['kurtosis'])} (excess, of the weights, by layer)",
        }
    else:
        known["accuracy"] = f"not measured yet: satcore evaluate {card.name}"
    known |= {"SHA-256": card.sha256, "folder": str(library.folder_of(card.name)), "computed": _computed(card.name)}
    print(card.name)
    for what, said in known.items():
        print(f"  {what:16}{said}")
    return 0


def _withstood(measured: dict) -> str:
    """What was right before FGSM as well as after it, where that was measured."""
    share = measured.get("fgsm_withstood")
    return "" if share is None else f"; before and after it {100 * share:.2f} %"


def _computed(name: str) -> str:
    """What has been computed about the network `name`, in words."""
    from satcore.evaluation import grids, reality

    try:
        count = sum(grids.load(name, setting) is not None for setting in grids.shipped(name))
        found = reality.load(name)
    except ValueError as error:
        return str(error)
    said = [f"{count} of {len(grids.shipped(name))} grids of targeted attacks"] if count else []
    if found:
        said.append(f"the reality check, on {found.images} test images")
    return "; ".join(said) or "nothing yet: satcore grids, satcore reality"


def _add(options: argparse.Namespace) -> int:
    from satcore import library

    try:
        from satcore import outside
    except ImportError as error:
        raise ValueError(f"expected the package onnx, which reads such files, got none ({error})") from error

    library.slug(options.name)
    _keep(outside.from_onnx(options.file), options.name, origin=f"ONNX file {_printable(options.file.name)}")
    return 0


def _committee(options: argparse.Namespace) -> int:
    from satcore import library
    from satcore.committees import committee

    cards = [library.describe(name) for name in _names(options)]
    network = committee([library.load(card.name) for card in cards])
    if options.half:
        network = network.half().float()
    groups, trainings = ({getattr(card, of) for card in cards} for of in ("group", "training"))
    _keep(
        network,
        options.name,
        origin=f"the mean of {', '.join(card.name for card in cards)}",
        group=groups.pop() if len(groups) == 1 else "",
        training=trainings.pop() if len(trainings) == 1 else "",
        members=[member for card in cards for member in card.made],
    )
    return 0


def _keep(network: "Network", label: str, **known: Any) -> None:
    """Measure `network`, put it on the user's own shelf, and say how it is called there."""
    import dataclasses

    from satcore import data, library
    from satcore.evaluation.table_1 import measuring
    from satcore.files import check_writable

    wanted = f"{library.OWN}/{library.slug(label)}"
    if there := library.same_as(network):
        print(f"this very network is there already, as {there}")
        return
    check_writable(library.user_shelf() / library.OWN)
    measurements = {}
    with _bar("measuring") as bar:
        for done, measured in measuring(network, *data.load("test")):
            bar.update(100 * done - bar.n)
            measurements = dataclasses.asdict(measured)
    name = library.add(network, label, measurements=measurements, **known)
    why = "" if name == wanted else f", as another network is called {wanted} and nothing is overwritten"
    print(f"kept as {name}{why}")
    print(_row(library.describe(name)))


def _remove(options: argparse.Namespace) -> int:
    from satcore import library

    library.remove(options.name)
    print(f"{options.name} is no longer on your shelf")
    return 0


def _device(asked: str | None) -> str:
    import torch

    from satcore.training import use_deterministic_gpu

    here = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    device = asked or here[-1]
    if device not in here:
        raise ValueError(f"expected a device out of {', '.join(here)}, got {device!r}")
    if device == "cuda":
        use_deterministic_gpu()
    return device


def _names(options: argparse.Namespace) -> list[str]:
    """The networks asked for, or all; of those asked for none is unknown or damaged before anything is begun."""
    from satcore import library

    for name in options.names:
        library.describe(name)
    names = list(dict.fromkeys(options.names or library.names()))
    if not names:
        raise ValueError(
            f"expected networks on a shelf, got none there: python -m satcore train, or add (your own: "
            f"{library.user_shelf()})"
        )
    return names


def _one_after_another(names: list[str], work: Callable[[str], None]) -> int:
    """Do the `work` for each; one that can't be had is a line, and the others go on. The exit status."""
    status = 0
    for name in names:
        try:
            work(name)
        except ValueError as error:
            _complain(str(error) if len(names) == 1 else f"{name}: {error}")
            status = 2
    return status


def _groups(card: "Card") -> set[str]:
    """The group that a network belongs to, and that which its name begins with: "mine" for one's own."""
    return {card.group, card.name.partition("/")[0]} - {""}


def _row(card: "Card") -> str:
    from satcore import networks

    shares = [card.measurements.get(share) for share in ("accuracy", "fgsm_accuracy", "zero_gradient")]
    figures = "".join(f"{'–' if share is None else f'{100 * share:.2f}':>8}" for share in shares)
    return f"{card.name:{COLUMN}}{figures}  {card.sha256[:12]}  {networks.described(card.architecture)}"


def _kurtosis(by_layer: Any) -> str:
    return ", ".join("–" if k is None else f"{k:.1f}" for k in by_layer)


@contextlib.contextmanager
def _bar(what: str, *, quiet: bool = False) -> Iterator["tqdm"]:
    from tqdm import tqdm

    with tqdm(desc=what, total=100, bar_format=BAR, leave=False, disable=quiet) as bar:
        yield bar


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _sentence(error: Exception) -> str:
    """What an error says, in one line."""
    if isinstance(error, MemoryError):
        return "expected memory enough, got none left"
    if isinstance(error, OSError) and error.strerror:
        return f"expected a file or a stream to read or write, got {error.strerror} ({error.filename or 'no file'})"
    return " ".join(str(error).splitlines())


def _complain(sentence: str) -> None:
    with contextlib.suppress(OSError):
        print(f"satcore: {sentence}", file=sys.stderr, flush=True)


def _mute_where_broken(stream: TextIO) -> None:
    """Send what is left in a `stream` that can't be written nowhere, or Python would stumble over it at its end."""
    try:
        stream.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def command() -> int:
    """`main` as a process of its own: `python -m satcore`, or `satcore` where it is installed."""
    memory.hold()
    return main()


if __name__ == "__main__":
    sys.exit(command())
