"""What a claim of the paper is, what was found out about it, and how a verdict comes about."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlencode

from satcore.evaluation.claims.evidence import Evidence
from satcore.recipes import FAMILIES

HELD, AS_PUBLISHED, FAILED = VERDICTS = (
    "held",
    "held as published, not under a sound attack",
    "did not hold here",
)  # the later, the worse
MLPS = FAMILIES[:2]
BESIDE = ("vanilla", "saturated", "control")
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Outcome(NamedTuple):
    """What became of a claim in one family.

    verdict  out of `VERDICTS`
    says     the figures that decided it, in words
    control  whether the control does as much; None where the claim credits saturation with nothing, or didn't hold
    """

    verdict: str
    says: str
    control: bool | None = None


class Bars(NamedTuple):
    """Some bars of a claim's small figure, side by side.

    family  which they are of, "" where of none
    label   what they are of there: a layer, a pair of digits, …
    values  by training
    paper   what the paper has, where it says so
    """

    family: str
    label: str
    values: Mapping[str, float]
    paper: Mapping[str, float] = {}


class Found(NamedTuple):
    """What a claim's own function finds: the outcome in each family, "" for one about none; the small figure; and what
    the outcomes' figures are, where that has to be said.
    """

    outcomes: dict[str, Outcome]
    bars: Sequence[Bars]
    of_what: str = ""


@dataclass(frozen=True)
class Finding:
    """What came out of the `claim` of that name: as in `Found`, and the verdict on all."""

    claim: str
    verdict: str
    outcomes: dict[str, Outcome]
    bars: tuple[Bars, ...]
    of_what: str


There = Mapping[str, Evidence]  # by network


@dataclass(frozen=True)
class Claim:
    """One thing that the paper says and that can be tested.

    name, section, where   what it is called here, under which heading it stands here, where the paper says it
    says                   what it says, in our words, with its number
    rule                   what counts as holding, in words
    about                  the families that it speaks of: the verdict is the worst of theirs; () where of none
    find                   finds out
    page, parameters       the screen that shows it; the line-up is added for each family
    lined_up               the trainings on that screen
    unit, logarithmic      of its small figure
    of_seeds               whether it rests on nothing but what is measured of every seed
    """

    name: str
    section: str
    where: str
    says: str
    rule: str
    about: tuple[str, ...]
    find: Callable[[There], Found]
    page: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    lined_up: tuple[str, ...] = BESIDE
    unit: str = ""
    logarithmic: bool = False
    of_seeds: bool = False

    def judge(self, there: There) -> Finding:
        """What comes out, by what is known of the networks."""
        found = self.find(there)
        verdict = worst(found.outcomes[family].verdict for family in self.about or ("",))
        return Finding(self.name, verdict, found.outcomes, tuple(found.bars), found.of_what)

    def link(self, family: str) -> str:
        """The address, beside the page of claims, where the `family` is shown; "" for a claim about none."""
        networks = [f"{family}/{training}" for training in self.lined_up] if family else []
        asked = urlencode({**self.parameters, "networks": networks}, doseq=True)
        return ("./" if self.page == "home" else self.page) + (f"?{asked}" if asked else "")


def worst(verdicts: Iterable[str]) -> str:
    """The worst of the verdicts."""
    return max(verdicts, key=VERDICTS.index)


def outcome(holds: bool, says: str, *, sound: bool | None = None, control: bool | None = None) -> Outcome:
    """What became of a claim that `holds` as the paper measures it, and under a `sound` attack, where that decides."""
    verdict = FAILED if not holds else AS_PUBLISHED if sound is False else HELD
    return Outcome(verdict, says, control if holds else None)


def compared(
    values: Callable[[Evidence], Mapping[str, float]],
    holds: Callable[[Evidence, Evidence], bool],
    of_what: str,
    *,
    families: tuple[str, ...] = FAMILIES,
    credits: bool = True,
    shown: Callable[[float], str] | None = None,
) -> Callable[[There], Found]:
    """A claim about `values` by layer or the like, which `holds` of a network beside the vanilla one.

    One that doesn't credit saturation with anything isn't asked of the control.
    """

    def find(there: There) -> Found:
        outcomes, bars = {}, []
        for family in families:
            vanilla, saturated, control = (there[f"{family}/{training}"] for training in BESIDE)
            first, second, third = (values(one) for one in (vanilla, saturated, control))
            as_text = [", ".join(map(shown or short, each.values())) for each in (second, first, third)]
            outcomes[family] = outcome(
                holds(saturated, vanilla),
                "{} (vanilla {}; control {})".format(*as_text),
                control=holds(control, vanilla) if credits else None,
            )
            for label in first:
                bars.append(
                    Bars(family, label, dict(zip(BESIDE, (first[label], second[label], third[label]), strict=True)))
                )
        return Found(outcomes, bars, of_what)

    return find


def by_layer(values: Iterable[float]) -> dict[str, float]:
    """Values under the numbers of their layers, from 1."""
    return {str(layer): value for layer, value in enumerate(values, start=1)}


def every(there: Iterable[float], beside: Iterable[float], *, times: float = 1.0, plus: float = 0.0) -> bool:
    """Whether each value exceeds so many `times` the one beside it, `plus` so much."""
    return all(one > times * other + plus for one, other in zip(there, beside, strict=True))


def listed(values: Iterable[float]) -> str:
    """Numbers with commas between them."""
    return ", ".join(map(short, values))


def short(value: float) -> str:
    """A number in three digits, whole, or as a power of ten."""
    size = abs(value)
    if size >= 1e5 or 0 < size < 1e-3:
        exponent = math.floor(math.log10(size))
        text = f"{value / 10**exponent:.1f}·10" + str(exponent).translate(SUPERSCRIPTS)
    else:
        text = f"{value:.3g}" if size < 1000 else f"{value:,.0f}"
    return text.replace("-", "−")


def percent(share: float) -> float:
    """To the hundredth of a percent, which is one image: 0.9935 * 100 is not quite 99.35."""
    return round(100 * share, 2)


def tenths(share: float) -> str:
    """A share in percent, rounded once: the 98.55 that `percent` makes of 0.9855 is a bit less, and would be 98.5."""
    return f"{100 * share:.1f}"
