"""Do others find the same? Accuracies after FGSM and PGD beside foolbox's, zero gradients beside those that the
Adversarial Robustness Toolbox finds, and the worst case beside AutoAttack's standard attacks as pyautoattack has them.

Run `python -m benchmarks.reality` from the repository root, with the peers installed: `pip install foolbox
adversarial-robustness-toolbox pyautoattack`. On 500 test images of each MLP and 200 of each CNN, in percent; half an
hour on two cores. PGD: 40 steps of 2.5ε/40 from the image itself. At ε = 0.25 AutoAttack leaves next to nothing, so the
MLPs are also compared where something is left.
"""

import importlib
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from benchmarks.training import hardware
from satcore import attacks, checkpoints, data
from satcore.evaluation import worst_case, zero_gradients
from satcore.evaluation.rungs import still_right

STEPS, EPSILON, SMALL_EPSILON = 40, 0.25, 0.05


def main() -> None:
    """Print the figures."""
    print(hardware(torch.device("cpu")))
    print("\nRight after FGSM and PGD (ε = 0.25), and gradients that are exactly zero; ours / theirs, in %")
    for name in checkpoints.names():
        network, images, labels = _attacked(name)
        fgsm, pgd = (
            _foolbox(attack, network, images, labels, **settings)
            for attack, settings in (
                ("FGSM", {}),
                ("LinfPGD", {"steps": STEPS, "abs_stepsize": 2.5 * EPSILON / STEPS, "random_start": False}),
            )
        )
        pgd |= network(images).argmax(1) != labels  # which ours leaves as they are, and theirs may put right again
        figures = {
            "FGSM": (still_right(attacks.fgsm, network, images, labels, epsilon=EPSILON), _left(fgsm)),
            "PGD": (still_right(attacks.pgd, network, images, labels, epsilon=EPSILON, steps=STEPS), _left(pgd)),
            "zero gradients": (zero_gradients(network, images, labels), _art(network, images, labels)),
        }
        print(
            f"{name:24}"
            + "   ".join(f"{what} {100 * ours:5.1f} / {100 * theirs:5.1f}" for what, (ours, theirs) in figures.items()),
            flush=True,
        )
    print("\nRight after all of our attacks, after all of AutoAttack's, in %; seconds")
    for name in checkpoints.names():
        for epsilon in (EPSILON,) if name.startswith("cnn/") else (EPSILON, SMALL_EPSILON):
            print(against_autoattack(name, epsilon), flush=True)


def against_autoattack(name: str, epsilon: float) -> str:
    """One line: how many images the worst case and AutoAttack leave, and how long each takes."""
    network, images, labels = _attacked(name)
    vanilla = f"{name.partition('/')[0]}/vanilla"
    source = checkpoints.load(vanilla) if vanilla != name else None
    broken, ours = _timed(lambda: worst_case(network, images, labels, epsilon=epsilon, source=source).broken)
    auto = importlib.import_module("pyautoattack").AutoAttack(
        network, eps=epsilon, norm="Linf", seed=0, version="standard"
    )
    attacked, theirs = _timed(lambda: auto.run_standard_evaluation(images, labels, batch_size=len(images)))
    attacked = attacked[0] if isinstance(attacked, tuple) else attacked
    assert float((attacked - images).abs().max()) <= epsilon + 1e-6
    with torch.no_grad():
        right = network(attacked).argmax(1) == labels
    return (
        f"{name:24} ε = {epsilon:4}   ours {100 * (~broken).double().mean():5.1f} ({ours:5.1f} s)   "
        f"AutoAttack {100 * right.double().mean():5.1f} ({theirs:5.1f} s)   "
        f"broken by AutoAttack alone {100 * (~right & ~broken).double().mean():4.1f}"
    )


def _attacked(name: str) -> tuple:
    images, labels = data.load("test")
    count = 200 if name.startswith("cnn/") else 500
    return checkpoints.load(name), images[:count], labels[:count]


def _left(broken: Tensor) -> float:
    return 1 - float(broken.double().mean())


def _foolbox(attack: str, network, images: Tensor, labels: Tensor, **settings) -> Tensor:
    foolbox = importlib.import_module("foolbox")
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    return getattr(foolbox.attacks, attack)(**settings)(model, images, labels, epsilons=EPSILON)[2]


def _art(network, images: Tensor, labels: Tensor) -> float:
    classifier = importlib.import_module("art.estimators.classification").PyTorchClassifier(
        network, loss=torch.nn.CrossEntropyLoss(), input_shape=(1, 28, 28), nb_classes=10, device_type="cpu"
    )
    one_hot = np.eye(10, dtype=np.float32)[labels.numpy()]
    check = importlib.import_module("art.metrics").loss_gradient_check
    return float(check(classifier, images.numpy(), one_hot, verbose=False)[:, 0].mean())


def _timed(work: Callable) -> tuple:
    start = time.perf_counter()
    return work(), time.perf_counter() - start


if __name__ == "__main__":
    main()
