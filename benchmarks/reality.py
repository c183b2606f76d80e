"""The strongest attack and the tightest proof, and whether others find the same. Accuracies after FGSM and PGD beside
foolbox's, zero gradients beside those that the Adversarial Robustness Toolbox finds, the worst case beside AutoAttack's
standard attacks as pyautoattack has them; a stranger's instances broken and proven; and what lies between attack and
proof of the networks that ship.

Run `python -m benchmarks.reality` from the repository root, with the peers installed: `pip install foolbox
adversarial-robustness-toolbox pyautoattack`. FGSM and PGD (40 steps of 2.5ε/40 from the image itself) on 500 test
images of each MLP and 200 of each CNN; the worst case on 1,000 and 200 random ones (seed 0) at each of `--epsilons`,
which takes hours on two cores: most of it is AutoAttack's time on images that stand. So what is known of these very
weights stands in reality.jsonl beside this file, and isn't computed again; `docs/tables.py` writes the table of
docs/reality-check.md from it. `--networks` picks some, `--worst-case` leaves the rest out. `--instances FOLDER` takes
other strangers' instances than those in tests/proofs: each NAME.onnx beside a NAME.npz with `lower`, `upper`, `label`,
`epsilon` and `verdict`; the worst case gets those that are violated, `benchmarks.proofs` has the proofs. What is proven
of the networks that ship took hours, too, and is read from beside their weights (`python -m satcore reality NAME
--ship` finds it out).

Seconds beside AutoAttack's are those of the processor in this one process, of one thread: on a machine that is shared
they vary less than the clock's.
"""

import argparse
import importlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks import proofs, table
from satcore import attacks, checkpoints, data, library, outside
from satcore.evaluation import reality, worst_case, zero_gradients
from satcore.evaluation.rungs import still_right
from satcore.intervals import box

STEPS, EPSILON = 40, 0.25
EPSILONS = (0.05, 0.1, 0.02, 0.25, 0.01)  # first, where attacks differ most
MLP, CNN = 1_000, 200  # images that the worst case is found on
FILE = Path(__file__).with_name("reality.jsonl")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=checkpoints.names())
    parser.add_argument("--epsilons", nargs="+", type=float, default=EPSILONS)
    parser.add_argument("--worst-case", action="store_true", help="the worst case alone")
    parser.add_argument("--instances", type=Path, default=proofs.STRANGERS, help="a folder with strangers' networks")
    chosen = parser.parse_args()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    if not chosen.worst_case:
        header = ("network", "images", "FGSM", "foolbox's", "PGD", "foolbox's", "zero gradients", "ART's")
        rows = beside_foolbox_and_art(chosen.networks)
        table("reality-peers", header, rows, keep=chosen.networks == checkpoints.names())
    print("\nThe worst case beside AutoAttack")
    there = {(line["sha256"], line["epsilon"]) for line in known()}
    for epsilon in chosen.epsilons:
        for name in chosen.networks:
            if (library.describe(name).sha256, epsilon) not in there:
                line = beside_autoattack(name, epsilon, CNN if name.startswith("cnn/") else MLP)
                with FILE.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                print(line, flush=True)
    print("\nStrangers' networks")
    for path in sorted(chosen.instances.glob("*.onnx")):
        print(violated(path), flush=True)
    if not chosen.worst_case:
        torch.set_num_threads(threads)
        proofs.verdicts(proofs.SECONDS, keep=False)
        header = ("network", "ε", "images", "s an image", "proven", "broken", "open (points)")
        table("bracketed", header, bracketed(chosen.networks), keep=False)


def beside_foolbox_and_art(names: list[str]) -> Iterator[list[str]]:
    """A row a network: what is right after FGSM and PGD, and where gradients are zero, by ours and by theirs, in %."""
    for name in names:
        network, images, labels = _attacked(name)
        wrong = _wrong(network, images, labels)  # which ours leaves as they are, and theirs may put right
        fgsm, pgd = (
            wrong | _foolbox(attack, network, images, labels, **settings)
            for attack, settings in (
                ("FGSM", {}),
                ("LinfPGD", {"steps": STEPS, "abs_stepsize": 2.5 * EPSILON / STEPS, "random_start": False}),
            )
        )
        figures = (
            still_right(attacks.fgsm, network, images, labels, epsilon=EPSILON),
            _left(fgsm),
            still_right(attacks.pgd, network, images, labels, epsilon=EPSILON, steps=STEPS),
            _left(pgd),
            zero_gradients(network, images, labels),
            _art(network, images, labels),
        )
        yield [name, f"{len(images)}", *(f"{100 * figure:.1f}" for figure in figures)]


def known() -> list[dict]:
    """What has been found of the worst case and AutoAttack by now, as `beside_autoattack` gives it."""
    return [json.loads(line) for line in FILE.read_text().splitlines()] if FILE.exists() else []


def beside_autoattack(name: str, epsilon: float, count: int) -> dict[str, str | float]:
    """How many of `count` random test images the worst case and AutoAttack leave, how many each breaks alone, and how
    many seconds of one thread each takes.
    """
    network, (images, labels) = checkpoints.load(name), data.load("test")
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:count]
    images, labels = images[chosen], labels[chosen]
    vanilla = f"{name.partition('/')[0]}/vanilla"
    source = checkpoints.load(vanilla) if vanilla != name else None
    found, ours = _timed(lambda: worst_case(network, images, labels, epsilon=epsilon, source=source))
    auto = importlib.import_module("pyautoattack").AutoAttack(
        network, eps=epsilon, norm="Linf", seed=0, version="standard"
    )
    (attacked, _), theirs = _timed(lambda: auto.run_standard_evaluation(images, labels, batch_size=len(images)))
    broken = _wrong(network, attacked, labels)
    for there, of in ((found.images, found.broken), (attacked, broken)):
        assert float((there - images).abs().max()) <= epsilon + 1e-6 and torch.equal(_wrong(network, there, labels), of)
    return {
        "network": name,
        "sha256": library.describe(name).sha256,
        "epsilon": epsilon,
        "images": count,
        "ours_leave": int((~found.broken).sum()),
        "theirs_leave": int((~broken).sum()),
        "ours_alone": int((found.broken & ~broken).sum()),
        "theirs_alone": int((broken & ~found.broken).sum()),
        "ours_seconds": round(ours, 1),
        "theirs_seconds": round(theirs, 1),
    }


def violated(path: Path) -> str:
    """One line: how many of the instances of the network at `path` that are known to be violated the worst case breaks.

    Each box is the ball of its ε around an image, clipped to [0, 1]; raises ValueError where one isn't.
    """
    network = outside.from_onnx(path)
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
        instances = {name: arrays[name] for name in arrays}
    broken = total = seconds = 0
    for epsilon in np.unique(instances["epsilon"]):
        chosen = (instances["verdict"] == "violated") & (instances["epsilon"] == epsilon)
        if not chosen.any():
            continue
        lower, upper = (torch.tensor(instances[side][chosen]).view(-1, 1, 28, 28) for side in ("lower", "upper"))
        images = torch.where(lower > 0, lower + float(epsilon), upper - float(epsilon)).clamp(0, 1).float()
        off = max(
            float((ours - theirs).abs().max())
            for ours, theirs in zip(box(images, float(epsilon)), (lower, upper), strict=True)
        )
        if off > 1e-6:
            raise ValueError(f"expected boxes around images, got one that is off by {off:g}")
        labels = torch.tensor(instances["label"][chosen])
        found, spent = _timed(lambda x=images, y=labels, e=float(epsilon): worst_case(network, x, y, epsilon=e))
        broken, total, seconds = broken + int(found.broken.sum()), total + len(labels), seconds + spent
    return f"{path.stem}: {broken} of {total} violated instances broken in {seconds:.1f} s"


def bracketed(names: list[str]) -> Iterator[list[str]]:
    """A row a network and ε: of the images decided one by one, how many are proven, how many broken, and the share that
    is neither; as it is kept beside the weights.
    """
    for name in names:
        for one in found.decided if (found := reality.load(name)) else ():
            still_open = one.images - one.proven - one.broken
            counts = (one.images, f"{one.seconds:g}", one.proven, one.broken)
            yield [name, f"{one.epsilon:g}", *map(str, counts), f"{100 * still_open / one.images:.1f}"]


def _wrong(network, images: Tensor, labels: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([network(x).argmax(1) != y for x, y in zip(images.split(250), labels.split(250), strict=True)])


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
    start = time.process_time()
    return work(), time.process_time() - start


if __name__ == "__main__":
    main()
