"""What every attack left, to take away, and the lines of Python that find it out again."""

from collections.abc import Iterator

from satcore.dashboard.shared import downloads
from satcore.evaluation.reality import Reality
from satcore.proportions import Proportion

HEADER = ("network", "epsilon", "attack", "temperature", "right", "images", "share", "low", "high")


def of_reality(found: dict[str, Reality]) -> None:
    """Buttons for what every attack left of every network at every ε, and the Python that finds it out again."""
    downloads.button("CSV", "reality.csv", lambda: csv_of_reality(found))
    downloads.code(reality_code(list(found)))


def csv_of_reality(found: dict[str, Reality]) -> str:
    """A row a network, ε and attack: how many images are left of how many, and the interval.

    "proven" is a row of its own, and so are, on fewer images, those "decided": proven and not broken.
    """
    return downloads.csv_of(HEADER, (row for name, there in found.items() for row in _rows(name, there)))


def reality_code(names: list[str]) -> str:
    """Python that attacks the networks again, and asks why."""
    return f"""from satcore import data, library
from satcore.evaluation import checks, ladder, reality, worst_case

for name in {names!r}:
    network, vanilla = library.load(name), library.vanilla_beside(name)
    source = library.load(vanilla) if vanilla else None
    images, labels = data.sample("test", reality.plan(network).images, reality.SEED)
    for rung in ladder(network, images, labels, epsilon=0.25, source=source):
        print(name, rung.name, rung.right.double().mean().item(), rung.temperature)
    print(worst_case(network, images, labels, epsilon=0.25, source=source).by[:10])
    for check in checks(network, images, labels, source=source):
        print(check)
"""


def _rows(name: str, found: Reality) -> Iterator[list]:
    yield _row(name, found, 0, "clean", "", found.clean)
    for rung, counts in found.right.items():
        temperatures = found.temperatures.get(rung, [""] * len(counts))
        for epsilon, count, temperature in zip(found.epsilons, counts, temperatures, strict=True):
            yield _row(name, found, epsilon, rung, temperature, count)
    for epsilon, count in zip(found.epsilons, found.proven, strict=True):
        if count is not None:
            yield _row(name, found, epsilon, "proven", "", count)
    for there in found.decided:
        yield _of(name, there.epsilon, "decided: proven", "", Proportion(there.proven, there.images))
        yield _of(name, there.epsilon, "decided: not broken", "", Proportion(there.images - there.broken, there.images))


def _row(name: str, found: Reality, epsilon: float, rung: str, temperature: float | str, count: int) -> list:
    return _of(name, epsilon, rung, temperature, Proportion(count, found.images))


def _of(name: str, epsilon: float, rung: str, temperature: float | str, left: Proportion) -> list:
    return [name, epsilon, rung, temperature, left.count, left.total, left.share, *left.interval]
