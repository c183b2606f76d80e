"""Commands that find out how good networks are, and how robust, and judge the paper by that."""

import argparse
from collections.abc import Callable

from satcore.commands.terminal import (
    COLUMN,
    Commands,
    add_device,
    add_in_turn,
    add_ship,
    complain,
    kurtosis_in_words,
    networks_asked,
    percent_bar,
    usable_device,
)


def add_to(commands: Commands) -> None:
    """Add these commands, in the order in which `--help` has them."""
    _evaluate_parser(commands)
    _grids_parser(commands)
    _reality_parser(commands)
    _certify_parser(commands)
    _beyond_parser(commands)
    _factorial_parser(commands)
    _claims_parser(commands)


def _evaluate_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="recompute Table 1 from the networks, beside the paper's",
        description="Recompute Table 1 from the networks: accuracy on the test set, accuracy after FGSM (ε = 0.25, "
        "float32 autograd), and the share of test images whose gradient was exactly zero.",
    )
    _add_names(parser)
    add_device(parser)
    parser.set_defaults(command=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    import dataclasses

    from satcore import data, library
    from satcore.evaluation import measure
    from satcore.paper import TABLE_1

    device = usable_device(options.device)
    names = networks_asked(options)
    test = data.Examples(*(tensor.to(device) for tensor in data.load("test")))
    print(f"{len(test.labels):,} test images, in percent. FGSM: ε = 0.25, one step, float32 autograd.")
    print("zero gradient: images on which that gradient was exactly zero, so that FGSM changed nothing.\n")
    print(
        f"{'':{COLUMN}}{'clean':>8}{'paper':>8}{'FGSM':>10}{'paper':>8}{'zero gradient':>16}   excess kurtosis by layer"
    )

    def row(name: str) -> None:
        network, card = library.load(name, device), library.describe(name)
        measured = measure(network, *test)
        paper = TABLE_1.get(f"{card.group}/{card.training}")
        clean, robust = (f"{value:.2f}" for value in paper) if paper else ("–", "–")
        print(
            f"{name:{COLUMN}}{100 * measured.accuracy:8.2f}{clean:>8}{100 * measured.fgsm_accuracy:10.2f}{robust:>8}"
            f"{100 * measured.zero_gradient:16.2f}   {kurtosis_in_words(measured.kurtosis)}",
            flush=True,
        )
        if not card.shipped and not card.measurements:
            library.measured(name, dataclasses.asdict(measured))

    return _one_after_another(names, row)


def _grids_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "grids",
        help="fill the grids of targeted attacks",
        description="Fill the 10×10 grids of the paper's Fig. 5 and 8 for each network, and keep them: L-BFGS with "
        "1,000 iterations, Adam with 100,000. Those that are there already are left as they are.",
    )
    _add_names(parser)
    add_ship(parser)
    parser.set_defaults(command=_grids, interrupted="the same command goes on after the last grid that was finished")


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
                with percent_bar(f"{name}, {setting.source}, {setting.attack}, {setting.gradient}") as bar:
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

    return _one_after_another(networks_asked(options), fill)


def _reality_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "reality",
        help="find out how much of the robustness is real",
        description="Climb the ladder of attacks at every ε, on 500 random test images for an MLP and 100 for a CNN, "
        "prove what can be proven, and keep what was found. Minutes for an MLP, up to three hours where it is to "
        "ship, half an hour for a CNN. What is there already is left as it is.",
    )
    _add_names(parser)
    add_in_turn(parser)
    add_ship(parser)
    parser.set_defaults(command=_reality, interrupted="the same command goes on after the last part it finished")


def _reality(options: argparse.Namespace) -> int:
    from satcore import background
    from satcore.evaluation import reality

    if options.in_turn:
        background.give_way()

    def examine(name: str) -> None:
        with background.at_work(reality.work(name), in_turn=options.in_turn) as report:
            _examine(name, report, ship=options.ship, quiet=options.in_turn)

    return _one_after_another(networks_asked(options), examine)


def _examine(name: str, report: Callable[[float, str], None], *, ship: bool, quiet: bool) -> None:
    """Find out what isn't known of the network `name` yet, and keep it part by part."""
    from satcore import library
    from satcore.evaluation import reality
    from satcore.files import check_writable

    check_writable(library.place(name, reality.FILE, ship=ship).parent)
    sha256 = library.describe(name).sha256
    network, vanilla = library.load(name), library.vanilla_beside(name)
    source, found = library.load(vanilla) if vanilla else None, reality.load(name)
    with percent_bar(name, quiet=quiet) as bar:
        for progress in reality.examine(network, source, reality.plan(network, ship=ship), found):
            if progress.found != found:
                found = progress.found
                library.check_same(name, sha256)
                reality.save(name, found, ship=ship)
            report(progress.done, progress.says)
            bar.set_postfix_str(progress.says)
            bar.update(100 * progress.done - bar.n)
    assert found is not None
    print(f"{name:{COLUMN}}{reality.verdict(found)}", flush=True)


def _certify_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "certify",
        help="prove or break every test image, of networks that step first",
        description="Decide of every test image, within seven ε, whether any attack at all can make a network that "
        "steps pixel by pixel classify it wrongly, and keep the verdicts. Minutes for an MLP. What is there already is "
        "left as it is; images that were left open with fewer seconds are tried again.",
    )
    parser.add_argument("--seconds", type=float, default=0.05, help="an image, in the mean (default: 0.05)")
    _add_names(parser)
    add_ship(parser)
    parser.set_defaults(command=_certify, interrupted="the same command goes on after the last ε it finished")


def _certify(options: argparse.Namespace) -> int:
    from satcore import library, networks
    from satcore.evaluation import certificates
    from satcore.files import check_writable

    def work(name: str) -> None:
        check_writable(library.place(name, certificates.FILE, ship=options.ship).parent)
        with percent_bar(name) as bar:
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
    asked = [name for name in networks_asked(options) if options.names or name in stepping]
    return _one_after_another(asked, work)


def _beyond_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "beyond",
        help="try what no proof within an L∞ ball speaks of",
        description="Change a few pixels at will, attack within L2 balls, move, light and fade the images, and keep "
        "how many stay right. Minutes a network. What is there already is left as it is.",
    )
    _add_names(parser)
    add_ship(parser)
    parser.set_defaults(command=_beyond, interrupted="the same command goes on after the last network it finished")


def _beyond(options: argparse.Namespace) -> int:
    from satcore.evaluation import beyond

    def work(name: str) -> None:
        found = beyond.find(name, ship=options.ship)
        print(f"{name:{COLUMN}}{beyond.in_words(found)}", flush=True)

    return _one_after_another(networks_asked(options), work)


def _factorial_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "factorial",
        help="train sixteen networks with and without step, ramp, bounds and penalty, and measure what each does",
        description="Train sixteen networks of one shape, with and without a step before them, ramps, bounds in the "
        "loss and the paper's penalty, measure each, and say what each factor contributes. An hour on one core. What "
        "is there already is left as it is.",
    )
    add_ship(parser)
    parser.set_defaults(command=_factorial, interrupted="the same command goes on where it was")


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


def _claims_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "claims",
        help="judge the paper claim by claim",
        description="Judge every claim of the paper by what is stored with its networks, and by what is found out anew "
        "in some three minutes, and keep the verdicts.",
    )
    add_ship(parser)
    parser.set_defaults(command=_claims)


def _claims(options: argparse.Namespace) -> int:
    from satcore.evaluation import claims
    from satcore.files import check_writable

    check_writable(claims.place(ship=options.ship).parent)
    found = None
    with percent_bar("the paper's claims") as bar:
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


def _add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as relu-mlp/saturated (default: all)")


def _one_after_another(names: list[str], work: Callable[[str], None]) -> int:
    """Do the `work` for each; one that can't be had is a line, and the others go on. The exit status."""
    status = 0
    for name in names:
        try:
            work(name)
        except ValueError as error:
            complain(str(error) if len(names) == 1 else f"{name}: {error}")
            status = 2
    return status
