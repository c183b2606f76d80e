"""The layers of several networks in one order."""

import itertools
from collections.abc import Iterable, Sequence


def in_order(networks: Iterable[Sequence[str]]) -> list[str]:
    """The layers that any of some networks has, each network's from the image up.

    One that the deepest doesn't have, such as a step, stands behind the one it stands behind in its own network.
    """
    found: list[str] = []
    for layers in sorted(networks, key=len, reverse=True):
        for below, layer in itertools.pairwise(["", *layers]):
            if layer not in found:
                found.insert(found.index(below) + 1 if below else 0, layer)
    return found
