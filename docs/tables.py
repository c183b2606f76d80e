"""Write the tables of README.md and docs/ from what is stored of the networks that ship, and what benchmarks measured.

`python docs/tables.py` rewrites the text between `<!-- table: NAME -->` and `<!-- end -->`; with `--check` it changes
nothing, says which of them is out of date, and exits 1 where one is. What the user keeps doesn't count.
"""

import argparse
import functools
import json
import os
import re
import sys
import tempfile
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the repository's root, wherever this is run from

from satcore import checkpoints, data, library
from satcore.evaluation import beyond, certificates, claims, factorial, grids, reality, seeds
from satcore.evaluation.certificates import Certificate
from satcore.evaluation.grids import Grid, Setting
from satcore.evaluation.reality import Reality
from satcore.evaluation.rungs import ONE_WORD, PUBLISHED, RUNGS
from satcore.library import Card
from satcore.paper import TABLE_1
from satcore.recipes import RECIPES

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"
HELD_OUT, BESIDE_AUTOATTACK = (BENCHMARKS / f"{name}.jsonl" for name in ("held_out", "reality"))
MEASURED = [path.stem for path in sorted((BENCHMARKS / "measured").glob("*.json"))]
WIDTH = 120
BLOCK = re.compile(r"(?P<begin><!-- table: (?P<name>[a-z0-9-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)
PROVEN_AT = 0.01  # ε
NOTHING = "–"
WHOSE = ("ours", "AutoAttack")
NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


@dataclass(frozen=True)
class Stored:
    """What is stored of the paper's networks: their cards by name, what was found out about them, their grids."""

    cards: dict[str, Card]
    found: dict[str, Reality]
    grids: dict[str, dict[Setting, Grid]]


def stored() -> Stored:
    """Read all that is stored. Raises ValueError where a file of it is damaged."""
    cards = {name: library.describe(name) for name in checkpoints.names() if name in claims.NETWORKS}
    if not cards:
        raise ValueError(f"expected networks that ship in {library.SHIPPED}, got none")
    found = {name: there for name in cards if (there := reality.load(name)) is not None}
    kept = {
        name: {setting: grid for setting in grids.shipped(name) if (grid := grids.load(name, setting)) is not None}
        for name in cards
    }
    return Stored(cards, found, kept)


def headline(there: Stored) -> str:
    """What README.md begins with: what the saturated networks keep, why, and what is left in the end."""
    saturated = _of_training(there, "saturated")
    reported = [TABLE_1[card.name][1] for card in saturated if card.name in TABLE_1]
    left = [share for found in there.found.values() if (share := found.left("worst case"))]
    most = max(share.share for share in left)
    nothing = (
        f"none of the {_number(len(left))} networks gets a single image right"
        if most == 0
        else f"no network gets more than {100 * most:.1f} % right"
    )
    return _items(
        f"The paper reports {min(reported):.0f}–{max(reported):.0f} % accuracy under attack (FGSM, ε = 0.25), without "
        f"adversarial training. Ours keep {_shares(saturated, 'fgsm_accuracy')} % (of all 10,000 test images).",
        "Change one word of that attack, its loss, from cross-entropy to margin, and the same float32 autograd leaves "
        f"{_left_after(there, saturated, ONE_WORD)} %, not {_left_after(there, saturated, PUBLISHED)} % "
        f"({_samples(there)}).",
        f"On {_shares(saturated, 'zero_gradient')} % of the test images the published attack changes nothing at all: "
        "its float32 gradient has underflowed to exactly zero.",
        f"Under attacks that don't stumble over that, or ask for no gradient at all, {nothing} (of the same).",
    )


def table_1(there: Stored) -> str:
    """Table 1 beside the paper's, with what all attacks together leave."""
    rows = []
    for name, card in there.cards.items():
        clean, robust = TABLE_1.get(name, (None, None))
        measured, found = card.measurements, there.found.get(name)
        cells = [measured["accuracy"], _share(clean), measured["fgsm_accuracy"], _share(robust)]
        worst = found.left("worst case") if found else None
        last = NOTHING if worst is None else f"{100 * worst.share:.1f}"
        rows.append([name, *(_percent(cell, 2) for cell in (*cells, measured["zero_gradient"])), last])
    return _table(["network", "clean", "paper", "FGSM", "paper", "zero gradient", "worst case"], rows)


def worst_case(there: Stored) -> str:
    """On which images the worst case was found, and how far its intervals reach."""
    ends: dict[int, float] = {}
    for found in there.found.values():
        if share := found.left("worst case"):
            ends[share.total] = max(ends.get(share.total, 0.0), share.interval[1])
    reach = _listed([f"{100 * end:.1f} % on {images}" for images, end in sorted(ends.items(), reverse=True)])
    return _wrapped(
        f"The worst case is that of all attacks together at ε = {reality.EPSILON:g} ({_samples(there)}). Its 95 % "
        f"intervals (Wilson) go up to {reach}."
    )


def control(there: Stored) -> str:
    """What the penalty adds to the accuracy under FGSM, all else equal."""
    added = [
        f"{card.group} {_signed(card.measurements['fgsm_accuracy'] - other.measurements['fgsm_accuracy'])}"
        for card in _of_training(there, "saturated")
        for other in _of_training(there, "control")
        if other.group == card.group
    ]
    return _wrapped(
        "The control is the saturated recipe with λ = 0 throughout, all else equal: what it reaches is not the "
        f"penalty's doing. Under FGSM the penalty adds, in points: {_listed(added)}."
    )


def short(there: Stored) -> str:
    """Which cells of Table 1 fall short of the paper's."""
    cells = []
    for name, (clean, robust) in TABLE_1.items():
        if name not in there.cards:
            continue
        card = there.cards[name]
        wanted = {"accuracy": ("clean", clean), "fgsm_accuracy": ("FGSM", robust)}
        if card.training == "vanilla":
            del wanted["fgsm_accuracy"]  # there less is no shortcoming
        for key, (word, value) in wanted.items():
            missing = value - 100 * card.measurements[key]
            if missing > 1e-9:
                cells.append(f"{name}, {word}, by {missing:.2f} points")
    return _wrapped(f"Short of the paper's figures: {'; '.join(cells) or 'none'}.")


def fooled(there: Stored) -> str:
    """On how many pairs L-BFGS and Adam found an adversarial image."""
    rows = []
    for name, kept in there.grids.items():
        count = {(setting.source, setting.attack, setting.gradient): grid.fooled for setting, grid in kept.items()}
        cells = [
            " / ".join(str(count.get((source, "L-BFGS", way), NOTHING)) for source in grids.SOURCES)
            for way in ("autograd", "exact", "softened")
        ]
        rows.append([name, *cells, str(count.get((grids.SOURCES[0], "Adam", "autograd"), NOTHING))])
    return _table(["network", "autograd", "exact", "softened", "Adam, autograd"], rows)


def three_to_seven(there: Stored) -> str:
    """Which networks Adam gets from a 3 to a 7, the paper's example."""
    got: dict[bool, list[str]] = {True: [], False: []}
    for name, kept in there.grids.items():
        for setting, grid in kept.items():
            if setting.attack == "Adam":
                got[bool(grid.found[3, 7])].append(name)
    return _wrapped(
        f"From 3 to 7, the paper's example, Adam gets in {_listed(got[True])}; it does not in {_listed(got[False])}."
    )


def adams_ends(there: Stored) -> str:
    """How it ended, of each network, for the pairs that Adam's steps didn't fool."""
    said = []
    for name, kept in there.grids.items():
        for grid in (grid for setting, grid in kept.items() if setting.attack == "Adam" and grid.resists.any()):
            resist, rest, nearly = (int(which.sum()) for which in (grid.resists, grid.rests, grid.drifts))
            said.append(f"of {resist} in {name} {rest} are at rest, {nearly} nearly, {resist - rest - nearly} open")
    return _wrapped(f"Of the pairs that resist: {'; '.join(said)}.")


def left(there: Stored) -> str:
    """What every attack leaves of every network, and what is proven: a table for each group of networks."""
    groups: dict[str, list[str]] = {}
    for name in there.found:
        groups.setdefault(there.cards[name].group, []).append(name)
    return "\n\n".join(_left_of(there, group, names) for group, names in groups.items())


def _left_of(there: Stored, group: str, names: Sequence[str]) -> str:
    found = [there.found[name] for name in names]
    rows = [
        [rung, *(NOTHING if (share := one.left(rung)) is None else f"{100 * share.share:.1f}" for one in found)]
        for rung in ("clean", *RUNGS)
    ]
    proven = [NOTHING if (count := _proven(one)) is None else f"{100 * count / one.images:.1f}" for one in found]
    return _table([group, *(name.split("/")[1] for name in names)], [*rows, [f"proven, ε = {PROVEN_AT:g}", *proven]])


def _proven(found: Reality) -> int | None:
    return found.proven[found.epsilons.index(PROVEN_AT)] if PROVEN_AT in found.epsilons else None


def kurtosis(there: Stored) -> str:
    """The weights' excess kurtosis, layer by layer."""
    by_layer = {name: card.measurements["kurtosis"] for name, card in there.cards.items()}
    depth = max(map(len, by_layer.values()))
    rows = [
        [name, *(NOTHING if k is None else f"{k:.1f}".replace("-", "−") for k in values), *[""] * (depth - len(values))]
        for name, values in by_layer.items()
    ]
    return _table(["network", *(f"layer {number}" for number in range(1, depth + 1))], rows)


def recipes(there: Stored) -> str:
    """How the networks that ship were trained, and how long that took."""
    rows = []
    for card in there.cards.values():
        made = card.made
        most = max(phase.penalty.maximum for member in made for phase in member.recipe.phases)
        least = min(phase.clean_share for member in made for phase in member.recipe.phases)
        rows.append(
            [
                card.name,
                " + ".join(str(member.recipe.epochs) for member in made),
                f"{most:g}" if most else "0",
                f"{1 - least:g}" if least < 1 else "0",
                f"{sum(member.seconds for member in made) / 60:.1f}",
            ]
        )
    return _table(["network", "epochs", "λ up to", "weight of FGSM images", "minutes"], rows)


def verdicts(there: Stored) -> str:
    """What became of each claim of the paper, in which networks, and what the control does as well."""
    found = claims.load()
    sections: dict[str, list[str]] = {}
    for claim in claims.CLAIMS:
        finding = found[claim.name]
        families: dict[str, list[str]] = {verdict: [] for verdict in claims.VERDICTS}
        for family in claim.about:
            families[finding.outcomes[family].verdict].append(family)
        held = [family for family in claim.about if family not in families[claims.FAILED]]
        too = [family for family in held if finding.outcomes[family].control]
        stands = _stands(families) if finding.verdict == claims.FAILED else ""
        where = "" if too == held else f", in {_listed(too)}"
        control = f" The control has it too{where}." if too else ""
        said = f"**{finding.verdict}** ({claim.where}). {claim.says}{stands}{control}"
        sections.setdefault(claim.section, []).append(said)
    counts = [f"{count} {verdict}" for verdict, count in claims.tally(found.values()).items()]
    lists = [f"### {title}\n\n{_items(*said)}" for title, said in sections.items()]
    return "\n\n".join([_wrapped(f"Of {len(found)} claims: {'; '.join(counts)}."), *lists])


def _stands(families: Mapping[str, Sequence[str]]) -> str:
    """In which `families`, by verdict, a claim stands that fails in others; "" for none."""
    does = {claims.HELD: "It does", claims.AS_PUBLISHED: "As published, not under a sound attack, it does"}
    return "".join(f" {said} in {_listed(families[verdict])}." for verdict, said in does.items() if families[verdict])


def certified(_: Stored) -> str:
    """What is proven of each dendritic network within each ε, of all test images."""
    parts = []
    for card in _dendritic():
        rows = [
            [
                f"{there.epsilon:g}",
                *(f"{100 * share.share:.2f}" for share in (there.clean, there.intervals, there.proven, there.standing)),
                f"{there.seconds:g}",
                f"{there.took:.0f}",
            ]
            for there in certificates.load(card.name)
        ]
        header = [f"{card.name}, ε", "right", "by intervals", "proven", "not broken", "s an image", "s in all"]
        parts.append(_table(header, rows))
    return "\n\n".join(parts)


def dendritic(_: Stored) -> str:
    """The dendritic networks: their shapes, how long they took, and what is proven at the paper's ε."""
    rows = []
    for card in _dendritic():
        here, made = _at_the_papers(card), card.made
        rows.append(
            [
                card.name,
                " + ".join(str(member.recipe.epochs) for member in made),
                f"{sum(member.seconds for member in made) / 60:.0f}",
                *(f"{100 * share.share:.2f}" for share in (here.clean, here.proven, here.standing)),
            ]
        )
    return _table(["network", "epochs", "minutes", "right", "proven", "not broken"], rows)


def proven(_: Stored) -> str:
    """What is proven of the dendritic networks at the paper's ε, in a sentence."""
    here = {card.group: _at_the_papers(card) for card in _dendritic()}
    shares = [
        f"{group} {100 * there.proven.share:.2f} % (right without attack: {100 * there.clean.share:.2f} %)"
        for group, there in here.items()
    ]
    images = max(there.images for there in here.values())
    return _wrapped(
        f"Of all {images:,} test images, within ε = {reality.EPSILON:g}, whatever the attack, are proven right: "
        f"{_listed(shares)}."
    )


def factors(_: Stored) -> str:
    """The factorial, a row a network."""
    rows = [
        [
            *("yes" if factor in cell.factors else "" for factor in factorial.FACTORS),
            *(f"{100 * share:.1f}" for share in (cell.accuracy, cell.fgsm_accuracy, cell.zero_gradient)),
            *(f"{100 * count / cell.images:.1f}" for count in (cell.standing, cell.proven)),
        ]
        for cell in factorial.load()
    ]
    return _table([*factorial.FACTORS, "right", "after FGSM", "zero gradient", "not broken", "proven"], rows)


def contributions(_: Stored) -> str:
    """What each factor contributes to what isn't broken, and to what is proven, in points."""
    of = {figure: factorial.effects(factorial.load(), figure) for figure in ("standing", "proven")}
    rows = [
        [one.factor, *(f"{_signed(e.mean)} ({_signed(e.low)} to {_signed(e.high)})" for e in (one, other))]
        for one, other in zip(*of.values(), strict=True)
    ]
    return _table(["factor", "not broken", "proven"], rows)


def elsewhere(_: Stored) -> str:
    """What no proof within an L∞ ball speaks of, network by network."""
    found = {name: there for name in checkpoints.names() if (there := beyond.load(name)) is not None}
    total = len(data.load("test").labels)
    shares: dict[str, list[float]] = {
        "right": [one.clean / one.images for one in found.values()],
        "moved by one pixel, all eight ways": [one.shifted / one.images for one in found.values()],
    }
    for k, count in enumerate(beyond.PIXELS):
        shares[f"{count} set"] = [one.pixels[k] / one.images for one in found.values()]
    for k, radius in enumerate(beyond.RADII):
        shares[f"L2 {radius:g}"] = [one.radii[k] / one.images for one in found.values()]
    for change in beyond.CHANGES:
        shares[change] = [one.changed[change] / total for one in found.values()]
    names = [name.replace("-mlp/", " ").replace("/", " ") for name in found]
    return _table(["right (%)", *names], [[what, *(_percent(s, 1) for s in row)] for what, row in shares.items()])


def _dendritic() -> list[Card]:
    cards = [library.describe(name) for name in checkpoints.names() if not name.startswith(f"{factorial.GROUP}/")]
    return [card for card in cards if card.training == "dendritic"]


def _at_the_papers(card: Card) -> Certificate:
    """What is proven of the network within the paper's ε. Raises ValueError where that wasn't tried."""
    for there in certificates.load(card.name):
        if there.epsilon == reality.EPSILON:
            return there
    raise ValueError(f"expected a certificate of {card.name} within {reality.EPSILON:g}, got none")


def held_out(_: Stored) -> str:
    """What came of the trials on which the dendritic recipes rest, on training images that weren't trained on."""
    rows = []
    for line in _lines(HELD_OUT):
        shares = (line[name] / line["images"] for name in ("right", "intervals", "intervals_trained_on"))
        decided = (line["proven"] / line["decided"], line["open"] / line["decided"])
        figures = [f"{100 * share:.2f}" for share in (*shares, *decided)]
        rows.append([line["name"], str(line["epochs"]), *figures])
    header = ["trial", "epochs", "right", "by intervals", "of those trained on", "proven", "open"]
    return _table(header, rows)


def proven_over_seeds(_: Stored) -> str:
    """How far what is right and what is proven of a dendritic network depend on its seed."""
    rows = []
    for name, recipe in RECIPES.items():
        there = [one.figures for one in seeds.load()[0] if one.identity == recipe.identity]
        figures = [one for one in there if "proven" in one]
        if len(figures) > 1:
            shares = ([100 * one[which] for one in figures] for which in ("accuracy", "proven"))
            rows.append([name, str(len(figures)), *(f"{min(there):.2f} to {max(there):.2f}" for there in shares)])
    return _table(["network", "seeds", "right", "proven"], rows)


def on_record(_: Stored) -> str:
    """Of how many seeds of each recipe of the library figures ship."""
    counts = Counter((one.recipe, one.identity) for one in seeds.load()[0])
    seeds_of = {name: counts[name, recipe.identity] for name, recipe in RECIPES.items()}
    said = [
        f"{_number(count)} of {_listed([name for name, there in seeds_of.items() if there == count])}"
        for count in sorted(set(seeds_of.values()) - {0}, reverse=True)
    ]
    return _wrapped(f"Seeds on record: {'; '.join(said)}.")


def beside_autoattack(there: Stored) -> str:
    """What the worst case and AutoAttack leave of the same images of networks that ship, and how long each takes."""
    order = {card.sha256: place for place, card in enumerate(there.cards.values())}
    kept = [line for line in _lines(BESIDE_AUTOATTACK) if line["sha256"] in order]
    names = ("network", "epsilon", "images", "ours_leave", "theirs_leave", "ours_alone", "theirs_alone")
    rows = [
        [*(f"{line[name]}" for name in names), *(f"{line[f'{whose}_seconds']:.1f}" for whose in ("ours", "theirs"))]
        for line in sorted(kept, key=lambda line: (line["epsilon"], order[line["sha256"]]))
    ]
    header = ["network", "ε", "n", *(f"{whose} {what}" for what in ("leaves", "alone", "(s)") for whose in WHOSE)]
    beaten = [
        f"{line['theirs_alone']} of {line['network']} at {line['epsilon']}" for line in kept if line["theirs_alone"]
    ]
    most = max(kept, key=lambda line: line["ours_alone"])
    ratios = [line["theirs_seconds"] / line["ours_seconds"] for line in kept if line["ours_seconds"] >= 1]
    sentence = (
        f"Images that AutoAttack breaks and the worst case doesn't, in these {len(kept)} rows: "
        f"{', '.join(beaten) or 'none'}. It leaves standing what the worst case breaks in "
        f"{sum(line['ours_alone'] > 0 for line in kept)} rows, most of {most['network']} at {most['epsilon']}: "
        f"{most['ours_alone']} of {most['images']}. Where ours takes a second or more, AutoAttack takes "
        f"{min(ratios):.2g} to {max(ratios):.2g} times as long, longer in {sum(ratio > 1 for ratio in ratios)} of "
        f"{len(ratios)} rows."
    )
    return f"{_table(header, rows)}\n\n{_wrapped(sentence)}"


def bracketed(there: Stored) -> str:
    """What is proven and what isn't broken of the same images, decided one by one, of each network."""
    rows = []
    for name, found in there.found.items():
        for one in found.decided:
            left = one.images - one.broken
            shares = (f"{100 * count / one.images:.1f}" for count in (one.proven, left, left - one.proven))
            rows.append([name, f"{one.epsilon:g}", f"{one.images}", f"{one.seconds:g}", *shares])
    return _table(["network", "ε", "n", "s an image", "proven (%)", "not broken (%)", "open (points)"], rows)


def strangers(_: Stored) -> str:
    """What branch and bound made of a stranger's instances, and in what time."""
    rows = _measured("proofs")["rows"]
    known = Counter(verdict for _, verdict, *_ in rows)
    found = Counter((verdict, ours) for _, verdict, ours, *_ in rows)
    took = [float(seconds) for *_, seconds, _ in rows]
    return _wrapped(
        f"Of a stranger's network (VNN-COMP 2021, 60 s an instance) {found['violated', 'broken']} of the "
        f"{known['violated']} instances are broken that are known to be violated, {found['holds', 'proven']} of the "
        f"{known['holds']} proven that hold, in {sum(took):.0f} s together; the longest takes {max(took):.1f} s."
    )


def measured(name: str) -> Callable[[Stored], str]:
    """What a benchmark measured."""
    return lambda _: _table(_measured(name)["header"], _measured(name)["rows"])


def machines(_: Stored) -> str:
    """On which machine what was measured."""
    on: dict[str, list[str]] = {}
    for name in MEASURED:
        on.setdefault(_measured(name)["machine"], []).append(name)
    return _items(*(f"{machine}: {_listed(names)}." for machine, names in on.items()))


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _measured(name: str) -> dict[str, Any]:
    return json.loads((BENCHMARKS / "measured" / f"{name}.json").read_text(encoding="utf-8"))


TABLES: dict[str, Callable[[Stored], str]] = {
    "headline": headline,
    "table-1": table_1,
    "worst-case": worst_case,
    "control": control,
    "short": short,
    "grids": fooled,
    "three-to-seven": three_to_seven,
    "adams-ends": adams_ends,
    "reality": left,
    "kurtosis": kurtosis,
    "claims": verdicts,
    "recipes": recipes,
    "dendritic": dendritic,
    "proven": proven,
    "certificates": certified,
    "held-out": held_out,
    "proven-over-seeds": proven_over_seeds,
    "seeds": on_record,
    "factorial": factors,
    "contributions": contributions,
    "beyond": elsewhere,
    "beside-autoattack": beside_autoattack,
    "bracketed": bracketed,
    "strangers": strangers,
    "machines": machines,
    **{f"measured-{name}": measured(name) for name in MEASURED},
}


@functools.cache
def texts() -> dict[str, str]:
    """What belongs between the markers, by name."""
    there = stored()
    return {name: write(there) for name, write in TABLES.items()}


def pages() -> list[Path]:
    """README.md and all pages of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def rewritten(page: str) -> tuple[str, list[str]]:
    """The text of a `page` with its tables as they should be, and the names of those that weren't.

    Raises ValueError for a table that is none of `TABLES`, and for one without an end.
    """
    outdated = []

    def block(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in TABLES:
            raise ValueError(f"expected a table out of {', '.join(TABLES)}, got {name!r}")
        found = f"{match['begin']}{_apart(texts()[name])}{match['end']}"
        if found != match[0]:
            outdated.append(name)
        return found

    new = BLOCK.sub(block, page)
    if page.count("<!-- table:") != len(BLOCK.findall(page)):
        raise ValueError("expected `<!-- table: NAME -->` and `<!-- end -->` in turns, got others")
    return new, outdated


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite the tables, or only check them; returns the exit status."""
    parser = argparse.ArgumentParser(description="Write the tables of README.md and docs/ from what is stored.")
    parser.add_argument("--check", action="store_true", help="change nothing; say which are out of date, and exit 1")
    options = parser.parse_args(arguments)
    status = 0
    for page in pages():
        name = page.relative_to(ROOT)
        try:
            new, outdated = rewritten(page.read_text(encoding="utf-8"))
        except ValueError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
        for table in outdated:
            print(f"{name}: {table} {'is out of date' if options.check else 'was written anew'}")
        if outdated and options.check:
            status = 1
        elif outdated:
            page.write_text(new, encoding="utf-8")
    return status


def _of_training(there: Stored, training: str) -> list[Card]:
    return [card for card in there.cards.values() if card.training == training]


def _shares(cards: Iterable[Card], key: str) -> str:
    return _listed([f"{100 * card.measurements[key]:.1f}" for card in cards])


def _left_after(there: Stored, cards: Iterable[Card], rung: str) -> str:
    left = [there.found[card.name].left(rung) for card in cards if card.name in there.found]
    return _listed([f"{100 * share.share:.1f}" for share in left if share])


def _samples(there: Stored) -> str:
    """On how many test images of each network: the many, and by group what differs."""
    counts = {there.cards[name].group: found.images for name, found in there.found.items()}
    most = max(counts.values())
    others = [f"; {group}: of {count}" for group, count in counts.items() if count != most]
    return f"of {most} random test images{''.join(others)}"


def _apart(text: str) -> str:
    """`text` between two empty lines, as Markdown wants a table."""
    return f"\n{text}\n\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    line = "|---" + "|---:" * (len(header) - 1) + "|"
    first, *others = (f"| {' | '.join(row)} |" for row in (header, *rows))
    return "\n".join((first, line, *others))


def _items(*sentences: str) -> str:
    return "\n".join(
        textwrap.fill(f"- {sentence}", WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
        for sentence in sentences
    )


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _listed(words: Sequence[str]) -> str:
    if not words:
        return "none"
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _number(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def _percent(share: float | None, digits: int) -> str:
    return NOTHING if share is None else f"{100 * share:.{digits}f}"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:
        os.environ["SATCORE_SHELF"] = empty  # what a user computed about these networks is not what ships
        sys.exit(main())
