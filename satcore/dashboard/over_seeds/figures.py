"""The panels of the page: a figure each, as dots."""

from collections.abc import Sequence

from satcore.dashboard.over_seeds import compute, words
from satcore.dashboard.over_seeds.compute import Quantity
from satcore.dashboard.over_seeds.dots_view import Column, Dot, Lane, Panel, Stop
from satcore.dashboard.shared.style import COLOURS
from satcore.evaluation.seeds import Trained

Shipped = set[tuple[str, int]]  # as `compute.shipped` gives them


def over_seeds(there: dict[str, list[Trained]], family: str) -> list[Panel]:
    """A panel a figure: for each training, side by side, every seed, and the paper's value."""
    shipped = compute.shipped()
    return [_over_seeds(there, family, quantity, shipped) for quantity in compute.DRAWN]


def _over_seeds(there: dict[str, list[Trained]], family: str, quantity: Quantity, shipped: Shipped) -> Panel:
    layers = compute.layers(there, quantity)
    columns = [
        Column(layer, [_lane(some, training, quantity, layer, family, shipped) for training, some in there.items()])
        for layer in layers
    ]
    unit = words.unit(quantity, [trained for some in there.values() for trained in some])
    return Panel(
        quantity.name, unit, columns, words.alt_over_seeds(there, quantity, layers), logarithmic=quantity.logarithmic
    )


def _lane(
    some: Sequence[Trained], training: str, quantity: Quantity, layer: str, family: str, shipped: Shipped
) -> Lane:
    values = [compute.by_layer(quantity, trained.figures).get(layer) for trained in some]
    spread = compute.Spread.of(values)
    return Lane(
        COLOURS[training],
        [_dot(training, trained, [value], shipped) for trained, value in zip(some, values, strict=True)],
        [spread.median if spread else None],
        compute.paper(quantity, family, training),
    )


def against_lambda(there: dict[float, list[Trained]], family: str) -> tuple[list[Panel], list[Stop]]:
    """Four figures against the largest λ, at every stage of the training and at its end; and what the slider says."""
    epochs = compute.epochs(there)
    shipped = compute.shipped()
    panels = [_against_lambda(there, family, quantity, epochs, shipped) for quantity in compute.AGAINST_LAMBDA]
    stops = [Stop(str(epoch), words.after(epoch), words.penalty_at(there, family, epoch)) for epoch in epochs]
    return panels, [*stops, Stop("", words.AT_THE_END, words.penalty_at(there, family, None))]


def _against_lambda(
    there: dict[float, list[Trained]], family: str, quantity: Quantity, epochs: Sequence[int], shipped: Shipped
) -> Panel:
    everyone = [trained for some in there.values() for trained in some]
    columns = []
    for lam, some in there.items():
        along = compute.ALONG.get(quantity)
        dots = [
            _dot(words.lam(lam), one, [*compute.along(one, epochs, along), *quantity.values(one.figures)], shipped)
            for one in some
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


def _dot(of_what: str, trained: Trained, values: Sequence[float | None], shipped: Shipped) -> Dot:
    ships = (trained.identity, trained.seed) in shipped
    return Dot(words.of_a_network(of_what, trained.seed, ships=ships), values, ringed=ships)
