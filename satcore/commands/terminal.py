"""What commands share: options that several have, the networks and the device asked for, bars, columns, complaints."""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from tqdm import tqdm

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # argparse has no public name for it

BAR = "{l_bar}{bar}| {elapsed}<{remaining} {postfix}"
COLUMN = 34  # a name's


def add_device(parser: argparse.ArgumentParser) -> None:
    """Have the command take --device, which `usable_device` makes sense of."""
    parser.add_argument("--device", help="such as cpu or cuda (default: cuda where there is one)")


def add_in_turn(parser: argparse.ArgumentParser) -> None:
    """Have the command take --in-turn, which the dashboard gives to what it begins."""
    parser.add_argument(
        "--in-turn", action="store_true", help="nice, and only once no other such work on your shelf is under way"
    )


def add_ship(parser: argparse.ArgumentParser) -> None:
    """Have the command take --ship, without which nothing is written among the networks that ship."""
    parser.add_argument("--ship", action="store_true", help="for maintainers: write to the shelf that ships")


def usable_device(asked: str | None) -> str:
    """The device `asked` for, or CUDA where there is one, made repeatable; raises ValueError where it isn't here."""
    import torch

    from satcore.training import use_deterministic_gpu

    here = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    device = asked or here[-1]
    if device not in here:
        raise ValueError(f"expected a device out of {', '.join(here)}, got {device!r}")
    if device == "cuda":
        use_deterministic_gpu()
    return device


def networks_asked(options: argparse.Namespace) -> list[str]:
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


@contextlib.contextmanager
def percent_bar(what: str, *, quiet: bool = False) -> Iterator["tqdm"]:
    """A bar of 100 parts that is gone when it is done."""
    from tqdm import tqdm

    with tqdm(desc=what, total=100, bar_format=BAR, leave=False, disable=quiet) as bar:
        yield bar


def kurtosis_in_words(by_layer: Any) -> str:
    """The kurtosis `by_layer`, with a dash for a layer that has none."""
    return ", ".join("–" if k is None else f"{k:.1f}" for k in by_layer)


def complain(sentence: str) -> None:
    """Say on stderr in one line what was wrong; who doesn't listen there is no reason to stop."""
    with contextlib.suppress(OSError):
        print(f"satcore: {sentence}", file=sys.stderr, flush=True)
