"""The panels of the page: a figure each, as dots."""

from collections.abc import Sequence

from satcore.dashboard.over_seeds import compute, words
from satcore.dashboard.over_seeds.compute import Quantity
from satcore.dashboard.over_seeds.dots_view import Column, Dot, Lane, Panel, Stop
from satcore.dashboard.shared.style import COLOURS
from satcore.evaluation.seeds import Trained


def over_seeds(there: dict[str, list[Trained]], family: str) -> list[Panel]:
    """A panel a figure: for each training, side by side, every seed, and the paper's value."""
    return [_over_seeds(there, family, quantity) for quantity in compute.DRAWN]


def _over_seeds(there: dict[str, list[Trained]], family: str, quantity: Quantity) -> Panel:
    layers = compute.layers(there, quantity)
    columns = [
        Column(label, [_lane(some, training, quantity, layer, family) for training, some in there.items()])
        for layer, label in enumerate(layers)
    ]
    unit = words.unit(quantity, [trained for some in there.values() for trained in some])
    return Panel(
        quantity.name, unit, columns, words.alt_over_seeds(there, quantity, layers), logarithmic=quantity.logarithmic
    )


def _lane(some: Sequence[Trained], training: str, quantity: Quantity, layer: int, family: str) -> Lane:
    values = [quantity.values(trained.figures)[layer] for trained in some]
    spread = compute.Spread.of(values)
    return Lane(
        COLOURS[training],
        [
            Dot(words.of_a_seed(training, trained), [value], ringed=compute.ships(trained))
            for trained, value in zip(some, values, strict=True)
        ],
        [spread.median if spread else None],
        compute.paper(quantity, family, training),
    )


def against_lambda(there: dict[float, list[Trained]], family: str) -> tuple[list[Panel], list[Stop]]:
    """Four figures against the largest λ, at every stage of the training and at its end; and what the slider says."""
    epochs = compute.epochs(there)
    panels = [_against_lambda(there, family, quantity, epochs) for quantity in compute.AGAINST_LAMBDA]
    stops = [Stop(str(epoch), words.after(epoch), words.penalty_at(there, family, epoch)) for epoch in epochs]
    return panels, [*stops, Stop("", words.AT_THE_END, words.penalty_at(there, family, None))]


def _against_lambda(there: dict[float, list[Trained]], family: str, quantity: Quantity, epochs: Sequence[int]) -> Panel:
    everyone = [trained for some in there.values() for trained in some]
    columns = []
    for lam, some in there.items():
        dots = [
            Dot(
                words.of_a_lambda(lam, trained),
                [*compute.along(trained, epochs, compute.ALONG.get(quantity)), quantity.values(trained.figures)[0]],
                ringed=compute.ships(trained),
            )
            for trained in some
        ]
        middle = [compute.middle(values) for values in zip(*(dot.values for dot in dots), strict=True)]
        colour = COLOURS["saturated" if lam > 0 else "control"]
        columns.append(Column(words.times(lam, family), [Lane(colour, dots, middle)]))
    return Panel(
        quantity.name,
        words.unit(quantity, everyone),
        columns,
        words.alt_against_lambda(there, quantity),
        below=words.below(family),
        joined=True,
        missing=words.ONLY_AT_THE_END,
    )
