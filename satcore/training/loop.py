"""From a recipe to a stream of epoch records to a network: one loop for all networks."""

import contextlib
import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from satcore import data
from satcore.attacks import fgsm
from satcore.attacks.fgsm import signed_step
from satcore.intervals import box, worst_logits
from satcore.moments import Moments
from satcore.networks import Network, build
from satcore.recipes import TRAINING_IMAGES, Phase, Recipe
from satcore.training import state as states
from satcore.training.penalty import penalised_by, penalty, saturated_share
from satcore.training.state import State

PROBED = 1_000  # test images on which an epoch's record is measured
SECONDS_BETWEEN_SAVES = 10
PRECISIONS = ("float32", "bfloat16")
TIMED_STEPS, TIMINGS = 2, 3  # of which the fastest counts
HOPELESS = 4  # times as slow as the other precision: not tried again
_Batch = tuple[Tensor, Tensor, Tensor]  # see `_drawn`


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch came to.

    epoch, epochs   which epoch this was, counted from 1, out of how many
    lam             λ in this epoch
    loss            mean over the epoch of the objective, without the constant penalty of frozen layers
    penalty         Eq. 8 without its λ, on the first 1,000 test images
    accuracy, fgsm_accuracy, zero_gradient
                    shares of the same images: classified correctly; so after FGSM by float32 autograd;
                    met by a gradient of exactly zero
    saturation      by layer, the share of units with φ_c < 0.001, on the same images
    proven          share of the same images that interval bounds prove to be right within the recipe's ε; None where
                    bounds aren't trained on
    seconds         training time so far, earlier, interrupted runs included
    seen            what `watch` made of the network as it was then
    network         the trained network with the last record, else None
    """

    epoch: int
    epochs: int
    lam: float
    loss: float
    penalty: float
    accuracy: float
    fgsm_accuracy: float
    zero_gradient: float
    saturation: tuple[float, ...]
    seconds: float
    proven: float | None = None
    seen: Any = None
    network: Network | None = None


def use_deterministic_gpu() -> None:
    """On a GPU, too, float32 is to mean float32, and the same run to end in the same bits. For the whole process."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True


def train(
    recipe: Recipe,
    device: str | None = None,
    seed: int = 0,
    state: Path | None = None,
    *,
    precision: str | None = None,
    watch: Callable[[Network], Any] | None = None,
    held_out: int = 0,
) -> Generator[EpochRecord, None, None]:
    """Train the recipe's network on MNIST, one record an epoch; the last one holds the network.

    `device` is a torch device; without one, CUDA where there is one, else the CPU. `precision` is that of the forward
    and backward pass, "float32", or "bfloat16" by autocast, the weights themselves, the loss and Adam being float32 in
    either; without one, the `faster` of the two. With `state`, a file, the run is kept there and taken up from there,
    in a `precision` that is then given: an interrupted run ends in the very bits that an uninterrupted one of the same
    precision on the same machine ends in. `watch` is called with the network after each epoch. The last `held_out`
    training images are not trained on, in a run that isn't kept. A generator that is closed keeps its state. Raises
    ValueError where that file is of another run or damaged, where the batches don't divide what is trained on, and
    where the loss is no longer a number, and OSError where the file can't be written.
    """
    where = _device(device)
    among = TRAINING_IMAGES - held_out
    if held_out and (state is not None or any(among % phase.batch_size for phase in recipe.phases)):
        raise ValueError(f"expected batches that divide the images trained on, {among:,}, in a run that isn't kept")
    if state is not None and precision is None:
        raise ValueError("expected a precision for a run that is kept, got none")
    precision = precision or faster(recipe, device)
    if precision not in PRECISIONS:
        raise ValueError(f"expected a precision out of {', '.join(PRECISIONS)}, got {precision!r}")
    network = _untrained(recipe, seed, where)
    images, labels = (tensor[:among].to(where) for tensor in data.load("train"))
    probe = data.Examples(*(tensor[:PROBED].to(where) for tensor in data.load("test")))
    belongs = states.Origin(recipe, seed, where, precision)
    first, seconds, resumed = 0, 0.0, None
    if state is not None and state.exists():
        resumed = states.read(state, belongs)
        first, seconds = resumed.epochs, resumed.seconds
        states.restore({name: parameter.data for name, parameter in network.named_parameters()}, resumed, state)
    run, saved = None, time.monotonic()

    def keep(epochs: int) -> None:
        if state is not None and run is not None and epochs < recipe.epochs:
            states.write(state, State(run.tensors(), epochs, seconds), belongs)

    for epoch in range(first, recipe.epochs):
        phase, epoch_of_phase = recipe.phase_of(epoch)
        started = time.monotonic()
        if run is None or epoch_of_phase == 0:
            run = None  # so that two phases' inputs are never held at once
            run = _PhaseRun(network, recipe, phase, precision, images, labels)
            if state is not None and resumed is not None and epoch_of_phase > 0:
                states.restore(run.tensors(), resumed, state)
        with _flushed_denormals():
            loss = run.epoch(_drawn(seed, epoch, phase, among, where), epoch_of_phase)
        if not math.isfinite(loss):
            raise ValueError(f"expected a loss that is a number in epoch {epoch + 1} of {recipe.name}, got {loss}")
        seconds += time.monotonic() - started
        finished = _finished(network) if epoch + 1 == recipe.epochs else None
        try:
            yield _record(
                network,
                recipe,
                probe,
                epoch=epoch + 1,
                epochs=recipe.epochs,
                lam=phase.penalty(epoch_of_phase),
                loss=loss,
                seconds=seconds,
                seen=watch(network) if watch else None,
                network=finished,
            )
        except GeneratorExit:  # whoever followed has had enough
            keep(epoch + 1)
            raise
        if time.monotonic() - saved > SECONDS_BETWEEN_SAVES:  # once the epoch is on record: it won't be done again
            keep(epoch + 1)
            saved = time.monotonic()


def faster(recipe: Recipe, device: str | None = None) -> str:
    """The precision in which a few steps of the recipe's longest phase take less time on the `device`, by measurement.

    `device` as for `train`.
    """
    where = _device(device)
    phase = max(recipe.phases, key=lambda phase: phase.epochs)
    images, labels = (tensor[: TIMED_STEPS * phase.batch_size].to(where) for tensor in data.load("train"))
    tried = {
        precision: _PhaseRun(_untrained(recipe, 0, where), recipe, phase, precision, images, labels)
        for precision in PRECISIONS
    }
    took: dict[str, float] = dict.fromkeys(PRECISIONS, math.inf)
    for _ in range(1 + TIMINGS):  # the first one warms up
        for precision in [each for each in PRECISIONS if took[each] <= HOPELESS * min(took.values())]:
            took[precision] = min(took[precision], _seconds_of_steps(tried[precision], phase))
    return min(PRECISIONS, key=took.__getitem__)


def _seconds_of_steps(run: "_PhaseRun", phase: Phase) -> float:
    started = time.monotonic()
    with _flushed_denormals():
        run.epoch(_drawn(0, 0, phase, len(run.labels), run.labels.device), phase.epochs - 1)
    return time.monotonic() - started


def _untrained(recipe: Recipe, seed: int, device: torch.device) -> Network:
    network = build(recipe.architecture, seed, recipe.initial_scale, for_bounds=recipe.for_bounds)
    return _laid_out(network.to(device), torch.channels_last)


def _device(asked: str | None) -> torch.device:
    where = torch.device(asked or ("cuda" if torch.cuda.is_available() else "cpu"))
    if where.type == "cuda":
        use_deterministic_gpu()
    return where


class _PhaseRun:
    """The network, Adam's moments and the training set on one device, for one phase."""

    def __init__(self, network: Network, recipe: Recipe, phase: Phase, precision: str, images: Tensor, labels: Tensor):
        self.network, self.recipe, self.phase, self.precision = network, recipe, phase, precision
        self.inputs, self.labels = _outputs_below(network, phase.frozen, images), labels
        self.complementary = penalised_by(network, recipe.complementary)
        if phase.moved:
            self.inputs = nn.functional.pad(self.inputs, (1,) * 4)
        device = labels.device
        self.rate, self.lam, self.share, self.within, self.total_loss = torch.zeros(5, device=device).unbind()
        first = max(phase.frozen, _unreached(network, recipe))
        self.trained = [*network.layers[first:].parameters(), *network.nonlinearities[first:].parameters()]
        self.moments = Moments(self.trained)
        self.replay = self._captured() if device.type == "cuda" else None

    def tensors(self) -> dict[str, Tensor]:
        """All that changes in training: the network's parameters and Adam's moments."""
        kept = {"step": self.moments.steps, "exp_avg": self.moments.means, "exp_avg_sq": self.moments.squares}
        moments = {f"adam.{i}.{name}": tensor for name, tensors in kept.items() for i, tensor in enumerate(tensors)}
        return {name: p.data for name, p in self.network.named_parameters()} | moments

    def epoch(self, batches: Sequence[_Batch], number: int) -> float:
        """One pass over the training set in `batches`, the phase's epoch of this number; the mean loss. Synchronises at
        its end.
        """
        self.rate.fill_(self.phase.rate(number))
        self.lam.fill_(self.phase.penalty(number))
        self.share.fill_(self.phase.share(number))
        self.within.fill_(self.phase.within(number))
        self.total_loss.zero_()
        for batch in batches:
            (self.replay or self._step)(*batch)
        return self.total_loss.item() / len(batches)

    def _step(self, images: Tensor, moves: Tensor, bends: Tensor) -> None:
        x, labels = self.inputs.index_select(0, images), self.labels.index_select(0, images)
        if self.phase.moved:
            x = moved(x, moves, bends)
        loss = self._bounded(x, labels) if self.phase.only_bounded else self._objective(x, labels)
        self.moments.forget_gradients()
        loss.backward()
        self.moments.step(self.rate, (0.9, self.phase.beta2), self.phase.adam_epsilon)
        self.total_loss += loss.detach()

    def _objective(self, x: Tensor, labels: Tensor) -> Tensor:
        pre_activations = self._pre_activations(x.requires_grad_(self.phase.attacked))
        loss = cross_entropy(pre_activations[-1], labels)
        if self.phase.attacked:
            (gradient,) = torch.autograd.grad(loss, x, retain_graph=True)
            attacked = signed_step(x.detach(), gradient, self.recipe.epsilon)
            attacked_loss = cross_entropy(self._pre_activations(attacked)[-1], labels)
            loss = self.share * loss + (1 - self.share) * attacked_loss  # Eq. 4
        if self.phase.bounded:
            loss = self.share * loss + (1 - self.share) * self._bounded(x, labels)
        if self.phase.penalty.maximum > 0:
            penalised = self.complementary[self.phase.frozen :]  # of frozen layers it is a constant
            loss = loss + self.lam * penalty(pre_activations, penalised)  # Eq. 8
        return loss

    def _bounded(self, x: Tensor, labels: Tensor) -> Tensor:
        """The cross-entropy of the worst that interval bounds allow."""
        with self._autocast(x):
            worst = worst_logits(self.network, *box(x, self.within), labels)
        return cross_entropy(worst.float(), labels)

    def _pre_activations(self, x: Tensor) -> list[Tensor]:
        with self._autocast(x):
            pre_activations = self.network.pre_activations_above(self.phase.frozen, x)
        return [h.float() for h in pre_activations]

    def _autocast(self, x: Tensor) -> torch.autocast:
        enabled = self.precision == "bfloat16"
        return torch.autocast(x.device.type, torch.bfloat16, cache_enabled=False, enabled=enabled)

    def _captured(self) -> Callable[..., None]:
        """`_step` as one CUDA graph, so that the host doesn't limit the small networks."""
        batch = _drawn(0, 0, self.phase, self.phase.batch_size, self.labels.device)[0]
        before = {name: tensor.clone() for name, tensor in self.tensors().items()}
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # PyTorch wants a few warm-up steps on a side stream before a capture
            for _ in range(3):
                self._step(*batch)
        torch.cuda.current_stream().wait_stream(side)
        self.moments.forget_gradients()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._step(*batch)
        for name, tensor in self.tensors().items():
            tensor.copy_(before[name])

        def replay(*drawn: Tensor) -> None:
            for part, new in zip(batch, drawn, strict=True):
                part.copy_(new)
            graph.replay()

        return replay


def moved(padded: Tensor, moves: Tensor, bends: Tensor) -> Tensor:
    """Images (n, 1, 28, 28) that are moved and bent, of those in a border of zeros, (n, 1, 30, 30).

    At p pixels from its centre such an image shows the pixel of the old one that is nearest to p + `bends` p + `moves`,
    with `moves` (n, 2) and `bends` (n, 2, 2), down and to the right. Pixels aren't mixed into greys: behind a step
    every grey near ½ is free within ε.
    """
    side = padded.shape[-1]
    along = torch.arange(28.0, device=padded.device) - 13.5
    from_centre = torch.cartesian_prod(along, along)
    seen = from_centre + from_centre @ bends.mT + moves[:, None]
    rows, columns = (seen + (side - 1) / 2).round().long().clamp(0, side - 1).unbind(2)
    return padded.flatten(1).gather(1, side * rows + columns).view(-1, 1, 28, 28)


def _unreached(network: Network, recipe: Recipe) -> int:
    """How many blocks, from the image up, no gradient reaches: one that steps, unless its sums are penalised.

    Autograd is told so: it would take the gradient behind the step for every pixel, only to multiply it by zero.
    """
    if not (network.steps_first and recipe.complementary[0] == "step"):
        return 0
    network.layers[0].requires_grad_(False)
    return 1


def _outputs_below(network: Network, frozen: int, images: Tensor) -> Tensor:
    """What the trained layers stand on: the images, or the frozen layers' outputs, computed once."""
    if frozen == 0:
        return images
    with torch.no_grad():
        return torch.cat(
            [network.output(frozen - 1, network.pre_activations(chunk)[frozen - 1]) for chunk in images.split(1_000)]
        )


def _drawn(seed: int, epoch: int, phase: Phase, images: int, device: torch.device) -> list[_Batch]:
    """The batches of an epoch on the `device`, a function of seed and epoch, so that nothing need be stored: which of
    the `images`, and by how many pixels each is moved, (n, 2), and by which matrix bent, (n, 2, 2).
    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(images, generator=generator)
    moves = torch.randint(-phase.shift, phase.shift + 1, (images, 2), generator=generator)
    bends = torch.empty(images, 2, 2).uniform_(-phase.bend, phase.bend, generator=generator)
    return list(zip(*(drawn.to(device).split(phase.batch_size) for drawn in (order, moves, bends)), strict=True))


def _record(network: Network, recipe: Recipe, probe: data.Examples, /, **figures) -> EpochRecord:
    with torch.no_grad():
        pre_activations = network.pre_activations(probe.images)
    attack, complementary = fgsm(network, *probe, epsilon=recipe.epsilon), penalised_by(network, recipe.complementary)
    return EpochRecord(
        penalty=penalty(pre_activations, complementary).item(),
        accuracy=attack.correct_before.float().mean().item(),
        fgsm_accuracy=1 - attack.success.float().mean().item(),
        zero_gradient=attack.zero_gradient.float().mean().item(),
        saturation=tuple(saturated_share(h, phi).item() for h, phi in zip(pre_activations, complementary, strict=True)),
        proven=_proven(network, probe, recipe.epsilon) if any(phase.bounded for phase in recipe.phases) else None,
        **figures,
    )


@torch.no_grad()
def _proven(network: Network, probe: data.Examples, epsilon: float) -> float:
    worst = worst_logits(network, *box(probe.images, epsilon), probe.labels)
    others = worst.scatter(1, probe.labels[:, None], -math.inf)
    return (others.amax(1) < 0).float().mean().item()


def _finished(network: Network) -> Network:
    return _laid_out(network, torch.contiguous_format).eval().requires_grad_(False)


def _laid_out(network: Network, memory_format: torch.memory_format) -> Network:
    # PyTorch's stubs leave this keyword out.
    return network.to(memory_format=memory_format)  # pyright: ignore[reportCallIssue]


@contextlib.contextmanager
def _flushed_denormals() -> Iterator[None]:
    """Denormals slow saturated networks down tenfold. Only while training: measurements need them.

    The setting is the calling thread's, but a thread that starts while it is on inherits it for good: hence the work
    beforehand that makes PyTorch start its threads. They go on with denormals, so one thread is the fast way to train.
    """
    torch.ones(1_000_000).mul_(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
