"""The command line: python -m satcore train | evaluate | grids | reality."""

import argparse
import sys
from pathlib import Path

from satcore import checkpoints
from satcore.paper import TABLE_1
from satcore.recipes import RECIPES


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 2 after one line that says what was wrong."""
    options = _parser().parse_args(arguments)
    try:
        _check(options)
        return options.command(options)
    except (ValueError, OSError) as error:
        print(f"satcore: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("satcore: interrupted; the same command goes on where it was", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m satcore", description="Saturated networks on MNIST.")
    commands = parser.add_subparsers(required=True)

    train = commands.add_parser(
        "train",
        help="train networks and keep them",
        description="Train networks, one a core, and keep them. A command that was "
        "interrupted, however rudely, goes on where it was when given again.",
    )
    train.add_argument("names", nargs="*", metavar="NAME", help="such as relu-mlp/saturated")
    train.add_argument("--all", action="store_true", help="all twelve")
    train.add_argument("--again", action="store_true", help="also those that this recipe and seed have trained already")
    train.add_argument(
        "--seed", type=int, default=0, help="of the initial weights and the order of examples (default 0)"
    )
    train.set_defaults(command=_train)

    evaluate = commands.add_parser(
        "evaluate",
        help="recompute Table 1 from the checkpoints, beside the paper's",
        description="Recompute Table 1 from the checkpoints: accuracy on the test set, "
        "accuracy after FGSM (ε = 0.25, float32 autograd), and the share of "
        "test images whose gradient was exactly zero.",
    )
    evaluate.add_argument(
        "names", nargs="*", metavar="NAME", help="such as relu-mlp/saturated (default: all there are)"
    )
    evaluate.set_defaults(command=_evaluate)

    grids = commands.add_parser(
        "grids",
        help="recompute the grids that ship",
        description="Fill the 10×10 grids of the paper's Fig. 5 and 8 for each network, and "
        "keep them: L-BFGS with 1,000 iterations, Adam with 100,000. Those that are there already are left as they are.",
    )
    grids.add_argument("names", nargs="*", metavar="NAME", help="such as relu-mlp/saturated (default: all there are)")
    grids.set_defaults(command=_grids)

    reality = commands.add_parser(
        "reality",
        help="find out again how much of the robustness is real",
        description="Climb the ladder of attacks at every ε, on 500 test images for an MLP and 100 for a CNN, "
        "prove what can be proven, and keep what was found. Minutes for an MLP, half an hour for a "
        "CNN. What is there already is left as it is.",
    )
    reality.add_argument("names", nargs="*", metavar="NAME", help="such as relu-mlp/saturated (default: all there are)")
    reality.set_defaults(command=_reality)

    for command in (train, evaluate, grids, reality):
        command.add_argument("--device", help="such as cpu or cuda (default: cuda where there is one)")
        command.add_argument("--folder", type=Path, default=checkpoints.FOLDER, help="where the checkpoints lie")
    return parser


def _check(options: argparse.Namespace) -> None:
    import torch

    for name in options.names:
        if name not in RECIPES:
            raise ValueError(f"expected a network out of {', '.join(RECIPES)}, got {name!r}")
    if not 0 <= getattr(options, "seed", 0) < 2**32:
        raise ValueError(f"expected a seed from 0 to 2³²−1, got {options.seed}")
    options.device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    here = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    if options.device not in here:
        raise ValueError(f"expected a device out of {', '.join(here)}, got {options.device!r}")


def _train(options: argparse.Namespace) -> int:
    from satcore.jobs import train_all

    if options.all == bool(options.names):
        raise ValueError(
            f"expected the names of the networks to train, or --all, got {'both' if options.all else 'neither'}"
        )
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"expected a folder that checkpoints can be written to, got {options.folder} ({error.strerror})"
        ) from error
    wanted = list(RECIPES) if options.all else list(dict.fromkeys(options.names))
    done = [] if options.again else [name for name in wanted if _is_trained(name, options)]
    if done:
        print(f"already trained with this recipe and seed (--again trains anew): {', '.join(done)}")
    train_all([name for name in wanted if name not in done], options.device, options.seed, options.folder)
    return 0


def _is_trained(name: str, options: argparse.Namespace) -> bool:
    if name not in checkpoints.names(options.folder):
        return False
    there = checkpoints.describe(name, options.folder)
    return there.recipe == RECIPES[name] and there.seed == options.seed


def _evaluate(options: argparse.Namespace) -> int:
    from satcore import data
    from satcore.evaluation import measure

    names = options.names or checkpoints.names(options.folder)
    if not names:
        raise ValueError(f"expected checkpoints in {options.folder}, got none there")
    test = data.Examples(*(tensor.to(options.device) for tensor in data.load("test")))
    print(f"{len(test.labels):,} test images, in percent. FGSM: ε = 0.25, one step, float32 autograd.")
    print("zero gradient: images on which that gradient was exactly zero, so that FGSM changed nothing.\n")
    print(f"{'':24}{'clean':>8}{'paper':>8}{'FGSM':>10}{'paper':>8}{'zero gradient':>16}   excess kurtosis by layer")
    for name in names:
        measured = measure(checkpoints.load(name, options.device, options.folder), *test)
        clean, robust = (f"{value:.2f}" for value in TABLE_1[name]) if name in TABLE_1 else ("–", "–")
        print(
            f"{name:24}{100 * measured.accuracy:8.2f}{clean:>8}{100 * measured.fgsm_accuracy:10.2f}{robust:>8}"
            f"{100 * measured.zero_gradient:16.2f}   " + ", ".join(f"{k:.1f}" for k in measured.kurtosis),
            flush=True,
        )
    return 0


def _grids(options: argparse.Namespace) -> int:
    from satcore import grids

    for name in options.names or checkpoints.names(options.folder):
        network, sha256 = (
            checkpoints.load(name, folder=options.folder),
            checkpoints.describe(name, options.folder).sha256,
        )
        for setting in grids.shipped(name):
            grid = grids.load(name, sha256, setting)
            if grid is None:
                *_, last = grids.fill(network, setting)
                grid = last.grid
                grids.save(name, sha256, setting, grid)
            print(
                f"{name:24}{setting.source:18}{setting.attack:8}{setting.gradient:10}{grid.fooled:4} of 90 fooled",
                flush=True,
            )
    return 0


def _reality(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from satcore import reality

    for name in options.names or checkpoints.names(options.folder):
        sha256 = checkpoints.describe(name, options.folder).sha256
        found = reality.load(name, sha256)
        if found is None:
            vanilla = f"{name.partition('/')[0]}/vanilla"
            network = checkpoints.load(name, folder=options.folder)
            source = checkpoints.load(vanilla, folder=options.folder) if vanilla != name else None
            with tqdm(desc=name, total=100, bar_format="{l_bar}{bar}| {elapsed}<{remaining} {postfix}") as bar:
                for progress in reality.examine(network, source, reality.plan(name)):
                    bar.set_postfix_str(progress.says)
                    bar.update(100 * progress.done - bar.n)
            found = progress.found
            reality.save(name, sha256, found)
        left = {rung: f"{100 * found.left(rung).share:.1f}" for rung in ("clean", *found.right)}
        print(f"{name:24}" + ", ".join(f"{rung} {share}" for rung, share in left.items()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
