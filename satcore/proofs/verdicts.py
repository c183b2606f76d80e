"""What no attack can break, and what one breaks: proofs and counterexamples for images and boxes of images."""

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from satcore.attacks.cube import searched
from satcore.data import CLASSES, check_epsilon, check_images, check_labels, check_number
from satcore.intervals import box
from satcore.networks import IMAGE, Network
from satcore.proofs.branching import Search
from satcore.proofs.counterexamples import Box
from satcore.proofs.cubes import AT_A_TIME, CubeSearch, behind_step, stepped
from satcore.proofs.relaxation import MOST_ENTRIES, Region, Relaxation, known, relaxed
from satcore.proofs.rounding import Arithmetic

PROVEN, BROKEN, OPEN = "proven", "broken", "open"
SHARE_OF_DESCENTS = 0.1  # of the time given
STEPS_OF_SEARCH, SHARE_OF_SEARCH = 200, 0.25  # over corners of what bounds leave open: at most, and of the time given


@dataclass(frozen=True)
class Decision:
    """What is known of N boxes of images.

    verdicts  N times "proven": every image of the box is classified as the label; "broken": one isn't; or "open"
    images    (N, 1, 28, 28), in the network's dtype: of a box that is broken an image that the network classifies
              wrongly; of another one the image that it is around, or its middle
    """

    verdicts: tuple[str, ...]
    images: Tensor

    @property
    def proven(self) -> Tensor:
        """(N,) bool."""
        return torch.tensor([verdict == PROVEN for verdict in self.verdicts], dtype=torch.bool)

    @property
    def broken(self) -> Tensor:
        """(N,) bool."""
        return torch.tensor([verdict == BROKEN for verdict in self.verdicts], dtype=torch.bool)


def refusal(network: object) -> str:
    """Why no proof is to be had for the `network`, in one sentence; "" where one is."""
    if not isinstance(network, Network):
        return f"expected a network of blocks to certify, got a {type(network).__name__}, which only gives logits"
    one = next(network.parameters())
    if one.dtype not in (torch.float32, torch.float64) or one.device.type != "cpu":
        kind = str(one.dtype).removeprefix("torch.")
        return f"expected a network in float32 or float64 on the CPU to certify, got one in {kind} on {one.device}"
    onednn = torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled
    if network.convolves and one.dtype == torch.float32 and not onednn:  # NNPACK's, whose errors go by the whole image
        return "expected a PyTorch with oneDNN to certify convolutions in float32, got one without, or with it off"
    return ""


def certified(
    network: Network, images: Tensor, labels: Tensor, *, epsilon: float = 0.25, seconds: float | None = None
) -> Tensor:
    """Which of `images` (N, 1, 28, 28) are proven to be classified as `labels` (N,) int64 within `epsilon`, (N,) bool.

    A lower bound on how accurate the network stays under any attack in the L∞ ball and [0, 1]; False says nothing. It
    holds for the network in its own dtype, whatever that rounds. Without `seconds` by intervals, and what these don't
    prove by linear bounds (CROWN, Zhang et al. 2018), else as `decide`. Raises ValueError for a network that `refusal`
    has something against, for other images or labels, for an epsilon outside [0, 1], and for seconds that aren't a
    number above 0.
    """
    if seconds is not None:
        return decide(network, images, labels, epsilon=epsilon, seconds=seconds).proven
    low, high = _ball(network, images, labels, epsilon)
    if len(images) == 0:
        return torch.zeros(0, dtype=torch.bool)
    prover = _Prover(network)
    proven = prover.by_intervals(low, high, labels)
    left = (~proven).nonzero().flatten()
    if not len(left):
        return proven
    by_lines = [prover.plainly(*part)[1] for part in prover.parts(low[left], high[left], labels[left])]
    return proven.index_put((left,), torch.cat(by_lines))


def decide(network: Network, images: Tensor, labels: Tensor, *, epsilon: float, seconds: float) -> Decision:
    """Whether each of `images` (N, 1, 28, 28) is classified as its label (N,) int64 all over the ball within `epsilon`.

    As `decide_boxes` for the L∞ ball cut to [0, 1]; an image that is classified wrongly to begin with is broken.
    Raises ValueError as `certified` does.
    """
    low, high = _ball(network, images, labels, epsilon)
    found = _decided(network, low, high, labels, images, seconds)
    # An image that the network rounds may lie beside a ball as small as that, where no counterexample was looked for.
    verdicts = (
        BROKEN if verdict == OPEN and int(network(image[None]).argmax(1)) != int(label) else verdict
        for verdict, image, label in zip(found.verdicts, found.images, labels, strict=True)
    )
    return Decision(tuple(verdicts), found.images)


def decide_boxes(network: Network, low: Tensor, high: Tensor, labels: Tensor, *, seconds: float) -> Decision:
    """Whether all images between `low` and `high` (N, 1, 28, 28) are classified as the label (N,) int64 of their box.

    Each box is given `seconds`: linear bounds, projected gradient descent, bounds by turned lines, branch and bound
    (α,β-CROWN: Xu et al. 2021, Wang et al. 2021), every corner at which a bound is least being tried as an attack.
    Where the network steps first, a box is a cube of a few free pixels, and these are divided (`CubeSearch`). Both
    verdicts hold for the network in its own dtype: "proven" whatever that rounds, "broken" by an image that it has been
    given. Raises ValueError for a network that `refusal` has something against, for other pixels or labels, for boxes
    that are empty, and for seconds that aren't a number above 0; they may be infinite.
    """
    if sentence := refusal(network):
        raise ValueError(sentence)
    check_images(low)
    check_images(high)
    check_labels(labels, len(low))
    if low.shape != high.shape or not bool((low <= high).all()):
        raise ValueError("expected boxes from low to high pixels, got some the other way round")
    middle = (low.double() + high.double()) / 2
    return _decided(network, low.double().flatten(1), high.double().flatten(1), labels, middle, seconds)


@torch.no_grad()
def by_intervals(network: Network, images: Tensor, labels: Tensor, *, epsilon: float = 0.25) -> Tensor:
    """As `certified`, by interval arithmetic alone: the least sharp of proofs, and the fastest."""
    low, high = _ball(network, images, labels, epsilon)
    return _Prover(network).by_intervals(low, high, labels)


@torch.no_grad()
def _decided(network: Network, low: Tensor, high: Tensor, labels: Tensor, images: Tensor, seconds: float) -> Decision:
    check_number(seconds, "seconds above 0", math.ulp(0), math.inf)
    images = images.to(next(network.parameters()).dtype, copy=True)
    if len(images) == 0:
        return Decision((), images)
    if network.steps_first:
        return _decided_behind_step(network, low, high, labels, images, seconds)
    prover, verdicts = _Prover(network), []
    for lows, highs, digits in prover.parts(low, high, labels):
        region, proven = prover.plainly(lows, highs, digits)
        for number in range(len(digits)):
            index = len(verdicts)
            if proven[number]:
                verdicts.append(PROVEN)
                continue
            box = Box(network, lows[number], highs[number], int(digits[number]))
            deadline = time.monotonic() + seconds
            verdict, image = prover.searched(box, region[number : number + 1], images[index].reshape(1, -1), deadline)
            verdicts.append(verdict)
            if image is not None:
                images[index] = image
    return Decision(tuple(verdicts), images)


def _decided_behind_step(
    network: Network, low: Tensor, high: Tensor, labels: Tensor, images: Tensor, seconds: float
) -> Decision:
    """As `_decided`; the boxes share their time, so that what is soon decided leaves it to the others."""
    search, began = CubeSearch(behind_step(network), *stepped(network, low, high), labels), time.monotonic()
    given = seconds * len(images)
    if left := search.open:
        below, above = (end[left].to(images.dtype).view(-1, *IMAGE) for end in (low, high))
        deadline = began + SHARE_OF_SEARCH * given
        found = searched(network, images[left], below, above, labels[left], steps=STEPS_OF_SEARCH, deadline=deadline)
        search.attack(torch.tensor(left), network.output(0, network.affine(0, found)).flatten(1).double())
    search.run(began + given)
    now = network.output(0, network.affine(0, images)).flatten(1)
    verdicts = []
    for number, image in enumerate(images.flatten(1)):
        box, tried = Box(network, low[number], high[number], int(labels[number])), [image]
        if (corner := search.broken.get(number)) is not None:
            reached = network.output(0, network.affine(0, box.high.view(-1, *IMAGE))).flatten() == corner
            tried.append(torch.where(corner == now[number], image, torch.where(reached, box.high, box.low)))
        found = box.wrong(torch.stack(tried))
        if found is not None:
            images[number] = found[0]
        verdicts.append(BROKEN if found is not None else PROVEN if search.proven(number) else OPEN)
    return Decision(tuple(verdicts), images)


class _Prover:
    """What all boxes share."""

    def __init__(self, network: Network):
        self.arithmetic = Arithmetic(network)
        self.relaxation: Relaxation = relaxed(self.arithmetic)

    def parts(self, low: Tensor, high: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """The boxes, so many at a time that a matrix of units × units of each can be held."""
        widest = max(784, *(len(part.bias) for part in self.relaxation.parts))
        most = max(1, 4 * MOST_ENTRIES // widest**2)
        return zip(low.split(most), high.split(most), labels.split(most), strict=True)

    @torch.no_grad()
    def by_intervals(self, low: Tensor, high: Tensor, labels: Tensor) -> Tensor:
        """Which of the boxes from `low` to `high` (N, 784) intervals prove, (N,) bool."""
        proven = torch.zeros(len(low), dtype=torch.bool)
        for index in torch.arange(len(low)).split(AT_A_TIME):
            region, _ = known(self.arithmetic, self.relaxation, low[index], high[index], tighten=False)
            proven[index] = (self.relaxation.interval_bound(self.arithmetic, region, _contrast(labels[index])) > 0).all(
                1
            )
        return proven

    @torch.no_grad()
    def plainly(self, low: Tensor, high: Tensor, labels: Tensor) -> tuple[Region, Tensor]:
        """What is known of the boxes from `low` to `high` (N, 784) by the usual lines, and which of them are proven."""
        region, lines = known(self.arithmetic, self.relaxation, low, high)
        value = self.relaxation.lower_bound(region, lines, self.relaxation.last, _contrast(labels)).value
        return region, (value > 0).all(1)

    def searched(self, box: Box, region: Region, image: Tensor, deadline: float) -> tuple[str, Tensor | None]:
        """The verdict on one box, and the image that breaks it."""
        if not self.relaxation.last:  # a linear network's margins are least at corners, and no unit can be divided
            slopes = self.relaxation.lower_bound(region, (), 0, _contrast(torch.tensor([box.label]))).pixels[0]
            found = box.wrong(torch.cat((image, box.corner(slopes))))
            return (OPEN if found is None else BROKEN), found
        began = time.monotonic()
        for images in itertools.chain([image], box.descents(began + SHARE_OF_DESCENTS * (deadline - began))):
            if (found := box.wrong(images)) is not None:
                return BROKEN, found
        search = Search(self.relaxation, region, box.label, deadline)
        for slopes in search.run():
            if (found := box.wrong(box.corner(slopes))) is not None:
                return BROKEN, found
        return (PROVEN if search.proven else OPEN), None


def _contrast(labels: Tensor) -> Tensor:
    """Rows that take each other logit from that of the label, (N, 9, 10)."""
    others = torch.ones(len(labels), CLASSES, dtype=torch.bool).scatter(1, labels[:, None], False)
    eye = torch.eye(CLASSES, dtype=torch.float64)
    return (eye[labels][:, None] - eye)[others].view(-1, CLASSES - 1, CLASSES)


def _ball(network: Network, images: Tensor, labels: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """The ends of the balls around `images`, (N, 784) float64 each, once all is checked."""
    if sentence := refusal(network):
        raise ValueError(sentence)
    check_images(images)
    check_labels(labels, len(images))
    check_epsilon(epsilon)
    return box(images.double().flatten(1), epsilon)
