"""Speed of the geometry: against autograd point by point, against its bare products, in the number of points.

Run `python -m benchmarks.geometry` from the repository root: some two minutes on idle cores, always on the CPU, with
one thread but for part 4. It keeps what it prints, and fails in the end where autograd and ours disagreed.

1. Probabilities, length elements and spectra at 201 points of the line between two test images, three ways:
   - autograd: at one image after another, `torch.autograd.functional.jacobian` of a float64 network, `svdvals` of it,
     and dl = √(vᵀJᵀ(diag p − ppᵀ)Jv) with that J;
   - ours: the same three arrays; and `geometry.path` as a user calls it, which also refines the length on more nodes;
   - products: every product of matrices and every convolution that ours makes, on random operands of the same shapes,
     without all the rest.
   Before that, how far autograd and ours are apart: in p absolutely, in dl relative to the line's largest, in the
   singular values relative to the largest of the same point. More than 1e-6 is a failure, but in dl and the singular
   values of the saturated sigmoid-mlp: where a sigmoid has rounded to 1, autograd takes its slope to be 0.
2. `geometry.path` with more and more points.
3. Three routes to the singular values of 201 matrices that were made to have known ones, from 1 to 1e-9. From a stable
   route an error of some 1e-16 of the largest is to be expected, which is 1e-7 of the smallest.
4. The page: how soon the lines of four CNNs between two digits are there that nobody has asked for before, the first of
   them and all, as the page asks for them: with as many threads as there are processors.

How fair this is:
- Autograd's network is brought to float64 outside the clock, once; ours is handed the float32 one in every call, and
  copies and prepares it inside, but for what it keeps of a network whose weights are as they were: the triangle of the
  first layer, which is found in the turn that isn't counted.
- Autograd's Jacobian is the default one, a backward pass for each logit; its `vectorize=True` and a batch of images
  would save it some overhead. Its probabilities cost it one more forward pass. A second thread makes it slower.
- The contenders take turns, and what counts is the shortest of five, after one that isn't counted, in seconds of the
  processor: what a busy machine disturbs least. On the CNN, autograd has one turn only, warmed up by the comparison of
  the results. Of the page it is the seconds of the clock that count, beside those of the processor; both have one turn.
"""

import copy
import functools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import functional
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks import table
from satcore import checkpoints, data, geometry, memory
from satcore.dashboard.interpolation import compute
from satcore.dashboard.shared import digits
from satcore.data import CLASSES
from satcore.geometry.linearised import ExactNetwork
from satcore.geometry.metric import Affine
from satcore.networks import Network
from satcore.recipes import FAMILIES

POINTS = 201
TURNS = 5
IMAGES = 0, 1  # in the test set: where the line begins and ends
SPECTRUM = torch.logspace(0, -9, CLASSES, dtype=torch.float64)
AGREEMENT = 1e-6
PRODUCTS = torch.ops.aten.mm, torch.ops.aten.addmm, torch.ops.aten.bmm, torch.ops.aten.convolution
CNNS = [f"cnn/{training}" for training in ("vanilla", "adversarial", "saturated", "control")]
PAIRS = (2, 7), (30, 41), (5, 8)  # of test images


def autograd(network: Network, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """P (P, 10), dl (P,) and σ (P, 10) on the line from `source` to `target` (1, 1, 28, 28), all in float64."""
    direction = (target - source).flatten()
    measured = []
    for t in torch.linspace(0, 1, POINTS, dtype=torch.float64):
        image = (1 - t) * source + t * target
        jacobian = functional.jacobian(network, image).view(CLASSES, -1)
        p = network(image)[0].softmax(0)
        v = jacobian @ direction
        element = (v @ (p.diag() - p.outer(p)) @ v).clamp(min=0).sqrt()  # it may round to below 0
        measured.append((p, element, torch.linalg.svdvals(jacobian)))
    p, element, spectra = (torch.stack(values) for values in zip(*measured, strict=True))
    return p, element, spectra


def ours(network: Network, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same as `autograd`, from the float32 network: what `geometry.path` does before it refines the length.

    No function that is meant for others stops there.
    """
    line = Affine(ExactNetwork(network), torch.cat((source, target)), target - source)
    t = torch.linspace(0, 1, POINTS, dtype=torch.float64)
    log_p, element, spectra = line.measured(torch.stack((1 - t, t), dim=1), spectra=True)
    return log_p.exp(), element, spectra


class Products(TorchDispatchMode):
    """Notes, `again`, every product of matrices and every convolution that is made, each on random operands."""

    def __init__(self):
        super().__init__()
        self.again: list[Callable[[], object]] = []
        self._alike = functools.cache(_random_like)

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> object:
        if function.overloadpacket in PRODUCTS:
            operands = [self._alike(a.shape, a.stride()) if isinstance(a, Tensor) else a for a in args]
            self.again.append(functools.partial(function, *operands))
        return function(*args, **(kwargs or {}))


def bare_products(network: Network, source: Tensor, target: Tensor) -> list[Callable[[], object]]:
    """The products that `ours` makes, each ready to run, on operands of the same shapes, in the same layout."""
    with torch.no_grad(), Products() as products:
        ours(network, source, target)
    return products.again


def _random_like(shape: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    return torch.empty_strided(shape, stride, dtype=torch.float64).normal_()


def _random(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def distances(theirs: tuple[Tensor, ...], ours: tuple[Tensor, ...]) -> list[float]:
    """The largest in p, absolute; in dl, relative to the largest dl; in σ, relative to σ₁ of the same point."""
    scales = torch.ones(1), ours[1].max(), ours[2][:, :1]
    return [float(((a - b).abs() / scale).max()) for a, b, scale in zip(theirs, ours, scales, strict=True)]


def shortest(contenders: dict[str, Callable[[], object]], once: frozenset[str] = frozenset()) -> dict[str, float]:
    """The processor's seconds a call, by contender, in turns after an uncounted one; those in `once` have one turn and
    no warm-up.
    """
    times = {name: [] for name in contenders}
    for turn in range(1 + TURNS):
        for name, work in contenders.items():
            if turn == 1 or name not in once:
                begun = time.process_time()
                work()
                times[name].append(time.process_time() - begun)
    return {name: min(each if name in once else each[1:]) for name, each in times.items()}


def compare(name: str, source: Tensor, target: Tensor, apart: dict[str, list[float]]) -> list[str]:
    """Part 1 for the network `name`: a row of the table; notes how far `apart` autograd and ours are."""
    network = checkpoints.load(name)
    double = copy.deepcopy(network).double()
    source, target = source.double(), target.double()
    apart[name] = distances(autograd(double, source, target), ours(network, source, target))
    products = bare_products(network, source, target)
    took = shortest(
        {
            "autograd": lambda: autograd(double, source, target),
            "ours": lambda: ours(network, source, target),
            "path": lambda: geometry.path(network, source, target, POINTS),
            "products": lambda: [product() for product in products],
        },
        once=frozenset({"autograd"} if name.startswith("cnn") else ()),
    )
    return [
        name,
        *(f"{took[who]:.3g}" for who in ("autograd", "ours", "products")),
        f"{took['autograd'] / took['ours']:.1f}",
        f"{took['autograd'] / took['products']:.1f}",
        f"{took['ours'] / took['products']:.2f}",
        f"{took['path']:.3g} on {len(geometry.path(network, source, target, POINTS).nodes)}",
        ", ".join(f"{distance:.0e}" for distance in apart[name]),
    ]


def agree(name: str, apart: list[float]) -> bool:
    """Whether autograd and ours came to the same, as far as autograd can."""
    return all(distance <= AGREEMENT for distance in (apart[:1] if name == "sigmoid-mlp/saturated" else apart))


def lengthen(name: str, source: Tensor, target: Tensor) -> Iterator[list[str]]:
    """Part 2: what `geometry.path` takes with more and more points."""
    network = checkpoints.load(name)
    contenders: dict[str, Any] = {
        str(points): functools.partial(geometry.path, network, source, target, points) for points in (201, 1001, 5001)
    }
    for points, took in shortest(contenders).items():
        yield [points, f"{len(contenders[points]().nodes)}", f"{took:.3g}", f"{took / int(points) * 1e6:.3g}"]


def planted() -> Tensor:
    """Random matrices (P, 10, 784) whose singular values are `SPECTRUM`."""
    left = torch.linalg.qr(_random(POINTS, CLASSES, CLASSES)).Q
    right = torch.linalg.qr(_random(POINTS, 784, CLASSES)).Q
    return left * SPECTRUM @ right.mT


def by_gram(matrices: Tensor) -> Tensor:
    """The singular values by the eigenvalues of MMᵀ."""
    return torch.linalg.eigvalsh(matrices @ matrices.mT).clamp(min=0).sqrt().flip(1)


def routes() -> Iterator[list[str]]:
    """Part 3: what each route to the singular values takes, and by how much it errs."""
    matrices = planted()
    contenders = {
        "svdvals(M)": functools.partial(torch.linalg.svdvals, matrices),
        "eigvalsh(MMᵀ)": functools.partial(by_gram, matrices),
        "ours: svdvals(R), Mᵀ = QR": functools.partial(geometry.singular_values, matrices),
    }
    for route, took in shortest(contenders).items():
        error = float((contenders[route]() / SPECTRUM - 1).abs().max())
        yield [route, f"{1e3 * took:.3g}", f"{error:.0e}"]


def lines_of_pairs() -> Iterator[list[str]]:
    """Part 4: a row a pair of test images: how soon the first and all lines of four CNNs are there.

    With malloc and threads as the server has them, and nothing kept from before.
    """
    memory.share()
    torch.set_num_threads(os.cpu_count() or 1)
    for name in CNNS:
        digits.network(name)
    for source, target in PAIRS:
        begun, clock = time.perf_counter(), time.process_time()
        compute.paths(CNNS[:1], source, target, 51)
        took = [time.perf_counter() - begun]
        lines: dict[str, geometry.Path] = {}
        while len(lines) < len(CNNS):
            lines = compute.paths(CNNS, source, target, 51)
        took += [time.perf_counter() - begun, time.process_time() - clock]
        yield [f"{source} to {target}", *(f"{each:.2f}" for each in took)]


def main() -> None:
    """Print the figures, and keep them."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    source, target = (data.example("test", index).images for index in IMAGES)
    names = [f"{family}/{training}" for family in FAMILIES for training in ("vanilla", "saturated")]
    apart: dict[str, list[float]] = {}
    table(
        "geometry",
        (
            f"{POINTS} points",
            *(f"{who} (s)" for who in ("autograd", "ours", "products")),
            "ratio",
            "at most",
            "ours / products",
            "path (s)",
            "apart: p, dl, σ",
        ),
        (compare(name, source, target, apart) for name in names),
    )
    header = ("points", "nodes", "seconds", "µs a point")
    table("geometry-points", header, lengthen("sigmoid-mlp/vanilla", source, target))
    table("geometry-routes", (f"singular values of {POINTS} matrices", "ms", "worst relative error"), routes())
    with tempfile.TemporaryDirectory() as shelf:
        os.environ["SATCORE_SHELF"] = shelf
        header = ("between test images", "first line (s)", "all four (s)", "the processor's (s)")
        table("geometry-page", header, lines_of_pairs())
    if failed := [name for name, distances in apart.items() if not agree(name, distances)]:
        raise SystemExit(f"\nAutograd and ours are more than {AGREEMENT:.0e} apart on {', '.join(failed)}")


if __name__ == "__main__":
    main()
