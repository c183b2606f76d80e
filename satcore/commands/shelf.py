"""Commands about what is on the shelves: list it, show it, put a network there, take one off."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from satcore.commands.terminal import COLUMN, Commands, kurtosis_in_words, networks_asked, percent_bar

if TYPE_CHECKING:  # what a command needs it imports itself: torch takes a second
    from satcore.library import Card
    from satcore.networks import Network


def add_to(commands: Commands) -> None:
    """Add these commands, in the order in which `--help` has them."""
    _list_parser(commands)
    _show_parser(commands)
    _add_parser(commands)
    _committee_parser(commands)
    _remove_parser(commands)


def _list_parser(commands: Commands) -> None:
    parser = commands.add_parser("list", help="all networks of all shelves, one a line")
    parser.add_argument("--group", metavar="G", help="only those of this group, such as relu-mlp, or mine")
    parser.set_defaults(command=_list)


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


def _groups(card: "Card") -> set[str]:
    """The group that a network belongs to, and that which its name begins with: "mine" for one's own."""
    return {card.group, card.name.partition("/")[0]} - {""}


def _show_parser(commands: Commands) -> None:
    parser = commands.add_parser("show", help="all that is known of a network")
    parser.add_argument("name", metavar="NAME", help="such as relu-mlp/saturated")
    parser.set_defaults(command=_show)


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
            "kurtosis": f"{kurtosis_in_words(measured['kurtosis'])} (excess, of the weights, by layer)",
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


def _add_parser(commands: Commands) -> None:
    parser = commands.add_parser("add", help="put a network from elsewhere on your own shelf, and measure it")
    parser.add_argument(
        "file", type=Path, metavar="FILE.onnx", help="an ONNX file with one image in and ten logits out"
    )
    parser.add_argument("--name", required=True, metavar="LABEL", help="what to call it: mine/LABEL")
    parser.set_defaults(command=_add)


def _add(options: argparse.Namespace) -> int:
    from satcore import library

    try:
        from satcore import outside
    except ImportError as error:
        raise ValueError(f"expected the package onnx, which reads such files, got none ({error})") from error

    library.slug(options.name)
    _keep(outside.from_onnx(options.file), options.name, origin=f"ONNX file {_printable(options.file.name)}")
    return 0


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _committee_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "committee",
        help="make one network of several, and measure it",
        description="Make one network of several of one architecture, whose logits are the mean of theirs, put it on "
        "your own shelf, and measure it.",
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help="such as cnn/dendritic, two or more")
    parser.add_argument("--name", required=True, metavar="LABEL", help="what to call it")
    parser.add_argument("--half", action="store_true", help="round its weights to float16: half the file")
    parser.set_defaults(command=_committee)


def _committee(options: argparse.Namespace) -> int:
    from satcore import library
    from satcore.committees import committee

    cards = [library.describe(name) for name in networks_asked(options)]
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


def _remove_parser(commands: Commands) -> None:
    parser = commands.add_parser("remove", help="take a network off your own shelf, with all that is known of it")
    parser.add_argument("name", metavar="NAME", help="such as mine/wide-tanh")
    parser.set_defaults(command=_remove)


def _remove(options: argparse.Namespace) -> int:
    from satcore import library
    from satcore.evaluation import reality

    reality.end(options.name)
    library.remove(options.name)
    print(f"{options.name} is no longer on your shelf")
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
    with percent_bar("measuring") as bar:
        for done, measured in measuring(network, *data.load("test")):
            bar.update(100 * done - bar.n)
            measurements = dataclasses.asdict(measured)
    name = library.add(network, label, measurements=measurements, **known)
    why = "" if name == wanted else f", as another network is called {wanted} and nothing is overwritten"
    print(f"kept as {name}{why}")
    print(_row(library.describe(name)))


def _row(card: "Card") -> str:
    from satcore import networks

    shares = [card.measurements.get(share) for share in ("accuracy", "fgsm_accuracy", "zero_gradient")]
    figures = "".join(f"{'–' if share is None else f'{100 * share:.2f}':>8}" for share in shares)
    return f"{card.name:{COLUMN}}{figures}  {card.sha256[:12]}  {networks.described(card.architecture)}"
