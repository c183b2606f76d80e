"""Speed of the attacks: FGSM and PGD against foolbox and torchattacks, L-BFGS against scipy's one image at a time.

Run `python -m benchmarks.attacks` from the repository root, on an idle machine. The peers are optional: `pip install
foolbox`, `pip install --no-deps torchattacks`. All in one process, on the same shipped networks and images, in turns;
medians, after one turn that isn't counted. torchattacks divides its loss by the number of images, so that a few more
gradients underflow.
"""

import statistics
from collections.abc import Iterator

import numpy as np
import torch
from scipy.optimize import minimize
from torch.nn.functional import cross_entropy

from benchmarks import seconds, table
from satcore import attacks, checkpoints, data
from satcore.evaluation.grids import PAIRS

TURNS, STEPS, EPSILON = 5, 40, 0.25
PEERS = "foolbox", "torchattacks"
NETWORKS = {"sigmoid-mlp/vanilla": 1000, "sigmoid-mlp/saturated": 1000, "relu-mlp/adversarial": 1000, "cnn/vanilla": 50}
FROM_EVERY_DIGIT = ("sigmoid-mlp/vanilla", "relu-mlp/vanilla", "sigmoid-mlp/adversarial", "sigmoid-mlp/saturated")


def fast_gradients(network, images, labels) -> dict:
    """FGSM by name: each gives the attacked images."""
    found = {
        "ours": lambda: attacks.fgsm(network, images, labels, epsilon=EPSILON).images,
    }
    if foolbox := _peer("foolbox"):
        model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
        found["foolbox"] = lambda: foolbox.attacks.FGSM()(model, images, labels, epsilons=EPSILON)[1]
    if torchattacks := _peer("torchattacks"):
        found["torchattacks"] = _and_success(
            network, labels, lambda: torchattacks.FGSM(network, eps=EPSILON)(images, labels)
        )
    return found


def projected_gradients(network, images, labels, epsilon: float) -> dict:
    """PGD with 40 steps by name: each gives the attacked images."""
    size = 2.5 * epsilon / STEPS
    found = {"ours": lambda: attacks.pgd(network, images, labels, epsilon=epsilon, steps=STEPS).images}
    if foolbox := _peer("foolbox"):
        model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
        found["foolbox"] = lambda: foolbox.attacks.LinfPGD(abs_stepsize=size, steps=STEPS, random_start=False)(
            model, images, labels, epsilons=epsilon
        )[1]
    if torchattacks := _peer("torchattacks"):
        found["torchattacks"] = _and_success(
            network,
            labels,
            lambda: torchattacks.PGD(network, eps=epsilon, alpha=size, steps=STEPS, random_start=False)(images, labels),
        )
    return found


def _and_success(network, labels, attack):
    """Torchattacks returns images alone; ours and foolbox also say which are fooled, so it is asked for that too."""

    def attacked() -> torch.Tensor:
        images = attack()
        with torch.no_grad():
            (network(images).argmax(1) != labels).sum().item()
        return images

    return attacked


def compare(what: str, name: str, functions: dict, network, labels) -> list[str]:
    """Time all contenders, a row; with the accuracy each leaves."""
    results = {contender: function() for contender, function in functions.items()}
    turns = {contender: [] for contender in functions}
    for _ in range(TURNS):
        for contender, function in functions.items():
            turns[contender].append(seconds(function))
    medians = {contender: statistics.median(times) for contender, times in turns.items()}
    left = (f"{100 * (network(there).argmax(1) == labels).float().mean():.1f}" for there in results.values())
    ratios = (f"{medians[peer] / medians['ours']:.2f}" if peer in medians else "–" for peer in PEERS)
    return [f"{what}, {name}", f"{len(labels)}", f"{1e3 * medians['ours']:.1f}", *ratios, ", ".join(left)]


def gradients() -> Iterator[list[str]]:
    """A row an attack by gradients and network."""
    for name, count in NETWORKS.items():
        network = checkpoints.load(name)
        images, labels = (tensor[:count] for tensor in data.load("test"))
        yield compare("FGSM", name, fast_gradients(network, images, labels), network, labels)
        for epsilon in (EPSILON, 0.01):  # at 0.01 hardly any image stops early
            functions = projected_gradients(network, images, labels, epsilon)
            yield compare(f"PGD, ε = {epsilon}", name, functions, network, labels)


def from_every_digit(name: str, steps: int = 1000) -> list[str]:
    """L-BFGS on the 90 pairs in float64, to success, ours at once and scipy's one after another; and how often each
    looks at a loss, which bounds what batching can save: a pair's looks come one after another.
    """
    network = checkpoints.load(name)
    sources = [data.choose(network, "test", digit, "most confident") for digit in range(10)]
    network = network.double()
    images = data.load("test").images[sources].double()[[source for source, _ in PAIRS]]
    targets = torch.tensor([target for _, target in PAIRS])
    objective = [_one_loss(network, targets[pair : pair + 1]) for pair in range(len(PAIRS))]
    found = {}

    def scipys() -> None:
        found["scipy"] = [_scipys(function, image, steps) for function, image in zip(objective, images, strict=True)]

    def ours() -> None:
        found["ours"] = attacks.lbfgs(network, images, targets, steps=steps)

    ours()
    took, theirs_took = statistics.median(seconds(ours) for _ in range(3)), seconds(scipys)
    result, (theirs, looks) = found["ours"], zip(*found["scipy"], strict=True)
    running = [int(step.running.sum()) for step in attacks.lbfgs_steps(network, images, targets, steps=steps)]
    fooled = torch.tensor(
        [bool(network(image[None]).argmax() == target) for image, target in zip(theirs, targets, strict=True)]
    )
    return [
        name,
        *(f"{each:.2f}" for each in (took, theirs_took, theirs_took / took)),
        f"{int(result.success.sum())}, {int(fooled.sum())}; {int((fooled == result.success).sum())}",
        f"{len(running)}, {running.count(1)}",
        f"{sum(looks)}, {max(looks)}",
    ]


def _one_loss(network, target):
    """The loss of one image with its gradient, and whether it is fooled; that costs no further look where the loss was
    looked at last.
    """
    last = {"x": np.empty(0), "seen": -1}

    def loss_and_gradient(x: np.ndarray) -> tuple[float, np.ndarray]:
        image = torch.from_numpy(x).view(1, 1, 28, 28).requires_grad_()
        logits = network(image)
        loss = cross_entropy(logits, target)
        last.update(x=x.copy(), seen=int(logits.argmax()))
        return loss.item(), torch.autograd.grad(loss, image)[0].numpy().ravel()

    def reached(x: np.ndarray) -> bool:
        if not np.array_equal(x, last["x"]):
            loss_and_gradient(x)
        return last["seen"] == int(target)

    return loss_and_gradient, reached


def _scipys(functions, image: torch.Tensor, steps: int) -> tuple[torch.Tensor, int]:
    """Where scipy's gets to, and in how many looks at the loss."""
    loss_and_gradient, reached = functions

    def stop_there(intermediate_result) -> None:
        if reached(intermediate_result.x):
            raise StopIteration

    result = minimize(
        loss_and_gradient,
        image.numpy().ravel(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, 1)] * 784,
        callback=stop_there,
        options={"maxiter": steps, "maxfun": 20 * steps, "ftol": 0, "gtol": 0},
    )
    return torch.from_numpy(result.x).view(1, 28, 28), result.nfev


def _peer(name: str):
    try:
        return __import__(name)
    except ImportError:
        return None


def main() -> None:
    """Print the figures, and keep them."""
    header = (
        "L-BFGS on 90 pairs",
        "ours (s)",
        "scipy (s)",
        "scipy / ours",
        "fooled, alike on",
        "our looks, at one",
        "scipy's, at most",
    )
    table("attacks-lbfgs", header, map(from_every_digit, FROM_EVERY_DIGIT))
    peers = (f"{peer} / ours" for peer in PEERS)
    table("attacks", ("attack, network", "images", "ours (ms)", *peers, "left right by each (%)"), gradients())


if __name__ == "__main__":
    main()
