"""Speed of the attacks: FGSM and PGD against foolbox and torchattacks, L-BFGS against scipy's one image at a time.

Run `python -m benchmarks.attacks` from the repository root, on an idle machine. The peers are optional: `pip install
foolbox`, `pip install --no-deps torchattacks`. All in one process, on the same shipped networks and images, in turns;
medians, after one turn that isn't counted. torchattacks divides its loss by the number of images, so that a few more
gradients underflow.
"""

import statistics

import numpy as np
import torch
from scipy.optimize import minimize
from torch.nn.functional import cross_entropy

from benchmarks.training import hardware, seconds
from satcore import attacks, checkpoints, data
from satcore.evaluation.grids import PAIRS

CPU = torch.device("cpu")
TURNS, STEPS, EPSILON = 5, 40, 0.25
NETWORKS = {"sigmoid-mlp/vanilla": 1000, "sigmoid-mlp/saturated": 1000, "relu-mlp/adversarial": 1000, "cnn/vanilla": 50}
FROM_EVERY_DIGIT = ("sigmoid-mlp/vanilla", "relu-mlp/vanilla", "sigmoid-mlp/adversarial", "sigmoid-mlp/saturated")


def fast_gradients(network, images, labels) -> dict:
    """FGSM by name: each gives the attacked images."""
    found = {
        "ours": lambda: attacks.fgsm(network, images, labels, epsilon=EPSILON).images,
        "ours, exact": lambda: attacks.fgsm(network, images, labels, epsilon=EPSILON, gradient="exact").images,
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


def compare(what: str, name: str, functions: dict, network, labels) -> None:
    """Time all contenders; with the accuracy each leaves."""
    results = {contender: function() for contender, function in functions.items()}
    turns = {contender: [] for contender in functions}
    for _ in range(TURNS):
        for contender, function in functions.items():
            turns[contender].append(seconds(function, CPU))
    medians = {contender: statistics.median(times) for contender, times in turns.items()}
    for contender, median in medians.items():
        right = (network(results[contender]).argmax(1) == labels).float().mean()
        print(
            f"{what:22} {name:24} {contender:13} {1e3 * median:9.1f} ms   {median / medians['ours']:6.2f} x ours"
            f"   leaves {100 * right:5.1f} % right",
            flush=True,
        )


def from_every_digit(name: str, steps: int = 1000) -> None:
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
    time, peers = statistics.median(seconds(ours, CPU) for _ in range(3)), seconds(scipys, CPU)
    result, (theirs, looks) = found["ours"], zip(*found["scipy"], strict=True)
    running = [int(step.running.sum()) for step in attacks.lbfgs_steps(network, images, targets, steps=steps)]
    fooled = torch.tensor(
        [bool(network(image[None]).argmax() == target) for image, target in zip(theirs, targets, strict=True)]
    )
    losses = [
        [
            float(cross_entropy(network(image[None]), target[None]))
            for image, target in zip(found_images, targets, strict=True)
        ]
        for found_images in (result.images, theirs)
    ]
    apart = np.abs(np.subtract(losses[0], losses[1])) / np.maximum(losses[1], 1e-12)
    alike = int((fooled == result.success).sum())
    print(
        f"L-BFGS on 90 pairs     {name:24} ours {time:6.2f} s   scipy {peers:6.2f} s   {peers / time:6.2f} x ours   "
        f"fooled {int(result.success.sum())} and {int(fooled.sum())}, alike on {alike}; "
        f"median relative difference of the loss {np.median(apart):.1e}\n"
        f"    looks at a loss: ours {len(running)} at all pairs that are left, {running.count(1)} of them at one; "
        f"scipy {sum(looks)}, {max(looks)} of them at one pair",
        flush=True,
    )


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
    """Print the figures."""
    print(hardware(CPU))
    for name in FROM_EVERY_DIGIT:
        from_every_digit(name)
    for name, count in NETWORKS.items():
        network = checkpoints.load(name)
        images, labels = (tensor[:count] for tensor in data.load("test"))
        compare("FGSM", name, fast_gradients(network, images, labels), network, labels)
        for epsilon in (EPSILON, 0.01):  # at 0.01 hardly any image stops early
            compare(f"PGD, ε = {epsilon}", name, projected_gradients(network, images, labels, epsilon), network, labels)


if __name__ == "__main__":
    main()
