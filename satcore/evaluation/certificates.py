"""What is proven of a network that steps first, of every test image: within which ε which of them hold, whatever the
attack. Kept beside its hash.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from satcore import data, library
from satcore.data import check_number
from satcore.evaluation.findings import Findings
from satcore.networks import Network
from satcore.proofs import by_intervals, decide
from satcore.proportions import Proportion

FILE = "certificate.json"
EPSILONS = (0.25, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55)  # the paper's first
SECONDS = 0.05  # an image, those of one `AT_A_TIME` together
AT_A_TIME = 500
WRONG, INTERVALS, PROVEN, BROKEN, OPEN = "wipbo"


@dataclass(frozen=True)
class Certificate:
    """Within `epsilon`, what is known of each test image, in their order, where each had so many `seconds`.

    verdicts  one letter an image: w wrong before, i proven by intervals, p proven by branch and bound over its free
              pixels, b broken by an image that the network has been given, o open
    took      seconds it took in all
    """

    epsilon: float
    seconds: float
    verdicts: str
    took: float

    @property
    def images(self) -> int:
        """How many there are."""
        return len(self.verdicts)

    @property
    def complete(self) -> bool:
        """Whether every image is decided."""
        return self.images > 0 and OPEN not in self.verdicts

    @property
    def intervals(self) -> Proportion:
        """The share that intervals prove."""
        return self._share(INTERVALS)

    @property
    def proven(self) -> Proportion:
        """The share that is proven, by intervals or by branch and bound."""
        return self._share(INTERVALS + PROVEN)

    @property
    def standing(self) -> Proportion:
        """The share that nothing has broken: no less is right under any attack found, and no more under the best."""
        return self._share(INTERVALS + PROVEN + OPEN)

    @property
    def clean(self) -> Proportion:
        """The share that is right without any attack."""
        return self._share(INTERVALS + PROVEN + OPEN + BROKEN)

    def _share(self, letters: str) -> Proportion:
        return Proportion(sum(map(self.verdicts.count, letters)), self.images)


def certify(network: Network, *, epsilon: float, seconds: float, known: str = "") -> Iterator[str]:
    """The verdicts on the test images, `AT_A_TIME` of them in each string, each given so many `seconds`.

    Where verdicts are `known`, only the images that they leave open are tried. Raises ValueError for a network that
    doesn't step before anything is summed: for that branch and bound would take seconds an image, and is done on a
    sample (`satcore.evaluation.reality`).
    """
    if not network.steps_first:
        raise ValueError("expected a network that steps pixel by pixel before anything is summed, got another one")
    examples = data.load("test")
    for number, (x, y) in enumerate(zip(*(part.split(AT_A_TIME) for part in examples), strict=True)):
        letters = list(known[number * AT_A_TIME :][: len(x)]) or _at_once(network, x, y, epsilon)
        left = [index for index, letter in enumerate(letters) if letter == OPEN]
        if left:
            decided = decide(network, x[left], y[left], epsilon=epsilon, seconds=seconds * len(x) / len(left))
            for index, verdict in zip(left, decided.verdicts, strict=True):
                letters[index] = verdict[0]
        yield "".join(letters)


def _at_once(network: Network, images: Tensor, labels: Tensor, epsilon: float) -> list[str]:
    """The verdicts that take no search: wrong before, proven by intervals, or open."""
    with torch.no_grad():
        wrong = network(images).argmax(1) != labels
    proven = by_intervals(network, images, labels, epsilon=epsilon)
    return [WRONG if no else INTERVALS if yes else OPEN for no, yes in zip(wrong, proven, strict=True)]


def find(name: str, *, seconds: float = SECONDS, ship: bool = False) -> Iterator[tuple[float, str]]:
    """Certify the network `name` within each of `EPSILONS`, and keep each as it is done; yields how far it has got, and
    what is under way. Each image has so many `seconds`; what is kept already is left as it is, but for images left open
    with fewer. `ship`, for maintainers, as `library.place`. Raises ValueError as `certify` does, and for seconds that
    are no number above 0.
    """
    check_number(seconds, "seconds above 0", math.ulp(0))
    sha256 = library.describe(name).sha256
    network, found = library.load(name), {there.epsilon: there for there in load(name)}
    new = {epsilon: Certificate(epsilon, 0.0, "", 0.0) for epsilon in EPSILONS}
    wanted = [there for there in (new | found).values() if there.seconds < seconds and not there.complete]
    total = len(data.load("test").labels)
    for number, before in enumerate(wanted):
        epsilon, started, verdicts = before.epsilon, time.monotonic(), ""
        for part in certify(network, epsilon=epsilon, seconds=seconds, known=before.verdicts):
            verdicts += part
            yield (number + len(verdicts) / total) / len(wanted), f"ε = {epsilon:g}"
        took = before.took + time.monotonic() - started
        found[epsilon] = Certificate(epsilon, seconds, verdicts, took)
        library.check_same(name, sha256)
        save(name, sorted(found.values(), key=_epsilon), ship=ship)


def save(name: str, found: list[Certificate], *, ship: bool = False) -> None:
    """Keep what was `found` about the network `name` under its hash."""
    KEPT.save(name, {"within": [asdict(one) for one in found]}, ship=ship)


def load(name: str) -> list[Certificate]:
    """What is kept of the network `name`, by ascending ε; nothing where nothing is. Else as `Findings.load`."""
    return KEPT.load(name) or []


def _epsilon(certificate: Certificate) -> float:
    return certificate.epsilon


def _believed(fields: dict[str, Any]) -> Certificate:
    """The certificate in `fields`. Raises ValueError or TypeError where it can't be one."""
    one = Certificate(**fields)
    if not (0 <= one.epsilon <= 1 and one.seconds > 0 and one.took >= 0):
        raise ValueError("an epsilon and seconds")
    if not one.verdicts or not set(one.verdicts) <= set(WRONG + INTERVALS + PROVEN + BROKEN + OPEN):
        raise ValueError("a letter for each image")
    return one


def _all_believed(fields: dict[str, Any]) -> list[Certificate]:
    return sorted(map(_believed, fields["within"]), key=_epsilon)


KEPT = Findings(FILE, "the certificates of", 1, 4 << 20, _all_believed)
