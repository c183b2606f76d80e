"""Training does what the literal loop does, and an interrupted run ends in the bits of an uninterrupted one."""

import dataclasses
import functools
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from satcore import data
from satcore.networks import Network, build, cnn, mlp
from satcore.recipes import STEP, Annealing, Phase, Recipe, changed
from satcore.training import EpochRecord, loop
from tests import literal
from tests.examples import slowly

CPU = torch.device("cpu")
ROOT = Path(__file__).parent.parent.parent
train = functools.partial(loop.train, precision="float32")
in_bfloat16 = functools.partial(loop.train, precision="bfloat16")

# Adam divides by √v + ε. With its usual 1e-8, gradients that cancel to a few 1e-9 make full steps out of the last
# bits, and no two orders of summation agree. With 1e-3 the weights follow the gradients as smoothly as they come.
STEADY = {"batch_size": 6_000, "learning_rate": 2e-2, "beta2": 0.95, "adam_epsilon": 1e-3}

LITERAL = {
    "vanilla": Recipe("relu-mlp", "vanilla", mlp("relu", (16, 16)), (Phase(epochs=1, **STEADY),), ("relu",) * 3),
    "a falling rate": Recipe(
        "sigmoid-mlp",
        "vanilla",
        mlp("sigmoid", (16, 16)),
        (Phase(epochs=2, last_learning_rate=1e-3, **STEADY),),
        ("sigmoid",) * 3,
    ),
    "adversarial": Recipe(
        "relu-mlp",
        "adversarial",
        mlp("relu", (16, 16)),
        (Phase(epochs=1, clean_share=0.3, **STEADY),),
        ("relu",) * 3,
        epsilon=0.2,
    ),
    "penalised sigmoid": Recipe(
        "sigmoid-mlp",
        "saturated",
        mlp("sigmoid", (16, 16)),
        (Phase(epochs=2, penalty=Annealing(0.1, 0.2, 0.25), **STEADY),),
        ("sigmoid", "sigmoid", "identity"),
    ),
    "penalised ReLU": Recipe(
        "relu-mlp",
        "saturated",
        mlp("relu", (16, 16)),
        (Phase(epochs=1, penalty=Annealing(0.02, 0, 0.02), **STEADY),),
        ("relu",) * 3,
    ),
    "frozen": Recipe(
        "relu-mlp",
        "saturated",
        mlp("relu", (16, 16)),
        (Phase(epochs=1, frozen=1, penalty=Annealing(0.02, 0, 0.02), **STEADY),),
        ("relu",) * 3,
    ),
    "frozen later": Recipe(
        "relu-mlp",
        "saturated",
        mlp("relu", (16, 16)),
        (Phase(epochs=1, **STEADY), Phase(epochs=1, frozen=1, penalty=Annealing(0.02, 0, 0.02), **STEADY)),
        ("relu",) * 3,
    ),
}


def order_of(batches: list[tuple[torch.Tensor, ...]]) -> torch.Tensor:
    return torch.cat([images for images, *_ in batches])


def literally(recipe: Recipe, seed: int) -> tuple[list[torch.Tensor], list[float]]:
    """Weights and losses that the literal loop comes to, phase by phase."""
    tensors = [parameter.detach() for parameter in build(recipe.architecture, seed).parameters()]
    losses, epoch = [], 0
    for phase in recipe.phases:
        orders = [order_of(loop._drawn(seed, epoch + k, phase, 60_000, CPU)) for k in range(phase.epochs)]
        tensors, of_phase = literal.train_mlp(
            tensors,
            *data.load("train"),
            orders,
            phase,
            activation=recipe.family.removesuffix("-mlp"),
            phi_c=recipe.complementary,
            epsilon=recipe.epsilon,
            rates=[phase.rate(k) for k in range(phase.epochs)],
            lams=[phase.penalty(k) for k in range(phase.epochs)],
        )
        losses += of_phase
        epoch += phase.epochs
    return tensors, losses


@pytest.mark.parametrize("name", slowly(LITERAL, lambda name: name in ("vanilla", "penalised sigmoid")))
def test_training_is_the_literal_loop(name):
    recipe = LITERAL[name]
    records = list(train(recipe, "cpu", seed=3))
    weights, losses = literally(recipe, seed=3)
    start = build(recipe.architecture, seed=3).parameters()
    moved = max((a - b).abs().max().item() for a, b in zip(weights, start, strict=True))
    assert moved > 0.05
    for found, expected in zip(records[-1].network.parameters(), weights, strict=True):
        # Twenty steps in float32 on weights below 1: some units of 6e-8 each. In adversarial training also the few
        # pixels in a million whose gradient is so near zero that its sign is a matter of rounding.
        torch.testing.assert_close(found.data, expected, rtol=0, atol=1e-6)
    assert [record.loss for record in records] == pytest.approx(losses, rel=1e-6)


def test_training_starts_from_the_recipes_initial_scale(monkeypatch):
    asked = []
    monkeypatch.setattr(loop, "build", lambda *said, **more: asked.append((said, more)) or build(*said, **more))
    next(train(dataclasses.replace(LITERAL["vanilla"], initial_scale=0.25), "cpu", seed=3))
    assert asked == [((LITERAL["vanilla"].architecture, 3, 0.25), {"for_bounds": False})]


def test_frozen_layers_keep_their_bits_and_the_others_move():
    recipe = LITERAL["frozen"]
    *_, last = train(recipe, "cpu", seed=3)
    start = list(build(recipe.architecture, seed=3).parameters())
    equal = [torch.equal(a, b) for a, b in zip(start, last.network.parameters(), strict=True)]
    assert equal == [True, True, False, False, False, False]


def test_an_epochs_order_is_a_permutation_of_its_own():
    phase = Phase(1, 600, 1e-3)
    orders = {(s, epoch): order_of(loop._drawn(s, epoch, phase, 60_000, CPU)) for s in (0, 1) for epoch in (0, 1)}
    for order in orders.values():
        assert torch.equal(order.sort().values, torch.arange(60_000))
    assert len({tuple(order.tolist()) for order in orders.values()}) == 4
    assert torch.equal(order_of(loop._drawn(1, 1, phase, 60_000, CPU)), orders[1, 1])


def phase_run(**fields) -> tuple[loop._PhaseRun, list[tuple[torch.Tensor, ...]]]:
    phase = Phase(1, 50, 1e-3, within=Annealing(0.25, 0, 0.25), **fields)
    recipe = Recipe("relu-mlp", "dendritic", mlp("relu", (16,)), (phase,), ("relu",) * 2)
    images, labels = (tensor[:100] for tensor in data.load("train"))
    network = build(recipe.architecture)
    return loop._PhaseRun(network, recipe, phase, "float32", images, labels), loop._drawn(3, 4, phase, 100, CPU)


def test_images_are_moved_by_as_many_pixels_as_are_drawn():
    run, batches = phase_run(shift=2)
    images, _ = data.load("train")
    drawn = set()
    for order, moves, bends in batches:
        assert not bends.any()
        moved = loop.moved(run.inputs[order], moves, bends)
        for index, (down, right), found in zip(order, moves.tolist(), moved, strict=True):
            wide = np.pad(images[index, 0].numpy(), 2)
            expected = wide[2 + down : 30 + down, 2 + right : 30 + right]
            assert np.array_equal(found[0].numpy(), expected)
            drawn |= {(down, right)}
    assert {down for down, _ in drawn} == {right for _, right in drawn} == {-2, -1, 0, 1, 2}
    assert all(not moves.any() for _, moves, _ in phase_run()[1])


def test_images_are_bent_as_the_matrices_say_that_are_drawn():
    run, batches = phase_run(shift=1, bend=0.2)
    images, _ = data.load("train")
    order, moves, bends = batches[0]
    assert 0.15 < bends.max() < 0.2 and -0.2 < bends.min() < -0.15
    assert len(bends.unique(dim=0)) == 50
    for index, move, bend, found in zip(order, moves, bends, loop.moved(run.inputs[order], moves, bends), strict=True):
        matrix = np.eye(2) + bend.double().numpy()
        expected = ndimage.affine_transform(
            images[index, 0].numpy(), matrix, 13.5 - matrix @ [13.5, 13.5] + move.numpy(), order=0
        )
        assert (found[0].numpy() != expected).sum() <= 2  # where a place lies, but for rounding, between two pixels


def test_what_is_bent_in_nothing_is_what_it_was():
    images = data.load("train").images[:5]
    nothing = torch.zeros(5, 2, dtype=torch.long), torch.zeros(5, 2, 2)
    assert torch.equal(loop.moved(torch.nn.functional.pad(images, (1,) * 4), *nothing), images)


# From here on an epoch is over the first 6,000 images, so that many of them cost little.


@pytest.fixture
def short_epochs(monkeypatch):
    monkeypatch.setattr(loop, "TRAINING_IMAGES", 6_000)


HOT = Recipe(
    "relu-mlp",
    "saturated",
    mlp("relu", (16, 16)),
    complementary=("relu", "identity", "relu"),
    epsilon=0.1,
    phases=(Phase(epochs=2, batch_size=600, learning_rate=0.1, penalty=Annealing(0, 1e-6, 1e-6)),),
)


def test_a_record_holds_what_it_says(short_epochs):
    first, last = train(HOT, "cpu", seed=1)
    assert (first.epoch, last.epoch, first.epochs, last.epochs) == (1, 2, 2, 2)
    assert (first.lam, last.lam) == (0, 1e-6)
    assert 0 < first.seconds < last.seconds

    images, labels = (tensor[:1_000] for tensor in data.load("test"))
    right = robust = zero = 0
    for image, label in zip(images, labels, strict=True):
        attacked, gradient = literal.fgsm(last.network, image, label.item(), epsilon=0.1)
        right += int(last.network(image.unsqueeze(0)).argmax() == label)
        robust += int(last.network(attacked.unsqueeze(0)).argmax() == label)
        zero += int(not gradient.any())
    assert 0 < zero < 1_000 and 0 < robust < right  # so that nothing below is so by chance
    # Shares of a thousand, in float32.
    assert [last.accuracy, last.fgsm_accuracy, last.zero_gradient] == pytest.approx(
        [right / 1_000, robust / 1_000, zero / 1_000], abs=1e-6
    )

    hs = last.network.pre_activations(images)
    phi_c = [literal.complementary(h, name).double() for h, name in zip(hs, HOT.complementary, strict=True)]
    # A float32 sum of some ten thousand values, not all of one sign.
    size = sum(values.abs().sum().item() for values in phi_c) / 1_000
    assert last.penalty == pytest.approx(sum(values.sum().item() for values in phi_c) / 1_000, abs=1e-6 * size)
    for share, h, name in zip(last.saturation, hs, HOT.complementary, strict=True):
        count = int((literal.complementary(h, name) < 1e-3).sum())
        assert share == pytest.approx(count / h.numel(), abs=1e-6)


def test_only_the_last_record_holds_a_network_and_it_is_ready_for_use(short_epochs):
    *earlier, last = train(HOT, "cpu")
    assert [record.network for record in earlier] == [None]
    assert isinstance(last.network, Network)
    assert not any(module.training for module in last.network.modules())
    assert not any(parameter.requires_grad for parameter in last.network.parameters())


def test_whoever_watches_sees_the_network_after_each_epoch(short_epochs):
    def seen(network):
        return bits(network)

    *earlier, last = train(HOT, "cpu", watch=seen)
    assert last.seen == bits(last.network) and earlier[0].seen not in (last.seen, bits(build(HOT.architecture)))
    assert next(train(HOT, "cpu")).seen is None


def test_the_faster_precision_is_measured_and_changes_nothing(short_epochs, monkeypatch):
    took = {"float32": 3.0, "bfloat16": 2.0}
    monkeypatch.setattr(loop, "_seconds_of_steps", lambda run, phase: took[run.precision])
    assert loop.faster(HOT, "cpu") == "bfloat16"
    took["bfloat16"] = 4.0
    assert loop.faster(HOT, "cpu") == "float32"
    *_, measured = loop.train(HOT, "cpu", 1)
    *_, asked = train(HOT, "cpu", 1)
    assert bits(measured.network) == bits(asked.network)


def test_another_precision_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected a precision out of float32, bfloat16, got 'float16'"):
        next(loop.train(HOT, "cpu", precision="float16"))
    with pytest.raises(ValueError, match="expected a precision for a run that is kept, got none"):
        next(loop.train(HOT, "cpu", state=tmp_path / "run"))


def test_a_step_before_the_first_layer_stays_where_it_is(short_epochs):
    stepped = changed(HOT, {"step": True})
    *_, last = train(stepped, "cpu")
    first = last.network.layers[0]
    assert (first.weight == 1).all() and (first.bias == -0.5).all()
    pixels = torch.rand(3, 1, 28, 28)
    torch.testing.assert_close(last.network(pixels), last.network((pixels > 0.5).float()), rtol=0, atol=0)


def test_what_no_gradient_reaches_need_not_be_asked_for_one(short_epochs, monkeypatch):
    architecture = (STEP, *mlp("ramp", (16,)))
    phase = Phase(2, 600, 1e-2, clean_share=0.5, within=Annealing(0.1, 0, 0.1), shift=1, bend=0.1)
    recipe = Recipe("relu-mlp", "dendritic", architecture, (phase,), ("step", "ramp", "identity"))
    *_, last = train(recipe, "cpu")
    monkeypatch.setattr(loop, "_unreached", lambda network, recipe: 0)
    *_, asked = train(recipe, "cpu")
    for found, expected in zip(last.network.parameters(), asked.network.parameters(), strict=True):
        assert torch.equal(found, expected)
    assert last.loss == asked.loss


def test_what_is_held_out_is_not_trained_on(monkeypatch):
    *_, last = train(HOT, "cpu", held_out=54_000)
    images, labels = data.load("train")
    kept = torch.arange(60_000) < 6_000
    other = data.Examples(torch.where(kept[:, None, None, None], images, 1 - images), torch.where(kept, labels, 0))
    load = data.load
    monkeypatch.setattr(data, "load", lambda split: other if split == "train" else load(split))
    *_, again = train(HOT, "cpu", held_out=54_000)
    for found, expected in zip(last.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(found, expected)
    with pytest.raises(ValueError, match="expected batches that divide the images trained on, 6,001"):
        next(train(HOT, "cpu", held_out=53_999))


def test_records_cannot_be_changed(short_epochs):
    record = next(train(HOT, "cpu"))
    assert isinstance(record, EpochRecord)
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.accuracy = 1.0


def test_the_seed_decides_the_weights(short_epochs):
    def trained(seed):
        *_, last = train(HOT, "cpu", seed)
        return bits(last.network)

    assert trained(1) == trained(1) != trained(2)


def test_denormals_are_flushed_only_while_training(short_epochs):
    def denormal() -> bool:
        return bool(torch.tensor(1e-40) * 1 != 0)

    with loop._flushed_denormals():
        assert not denormal()
    for _ in train(HOT, "cpu"):
        assert denormal()
    assert denormal()


@pytest.mark.slow
def test_threads_that_start_while_training_keep_their_denormals():
    # In a process of its own, whose threads PyTorch hasn't started yet; so many elements that it uses them all.
    script = """
import torch
from satcore.training import loop
torch.set_num_threads(2)
with loop._flushed_denormals():
    torch.ones(400_000) * 2
assert bool((torch.full((400_000,), 1e-40) * 1 != 0).all())
"""
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_an_error_while_training_leaves_denormals_on(short_epochs, monkeypatch):
    monkeypatch.setattr(loop, "signed_step", None)
    with pytest.raises(TypeError):
        next(train(dataclasses.replace(HOT, phases=(dataclasses.replace(HOT.phases[0], clean_share=0.5),)), "cpu"))
    assert torch.tensor(1e-40) * 1 != 0


# Two phases, the second on cached features, and products in bfloat16.
TWO_PHASES = Recipe(
    "relu-mlp",
    "saturated",
    mlp("relu", (16, 16)),
    complementary=("relu",) * 3,
    phases=(
        Phase(epochs=2, batch_size=600, learning_rate=1e-2),
        Phase(
            epochs=3,
            batch_size=300,
            learning_rate=1e-2,
            last_learning_rate=1e-3,
            frozen=1,
            penalty=Annealing(step=1e-4, maximum=2e-4),
        ),
    ),
)


def bits(network: Network) -> bytes:
    return b"".join(parameter.detach().contiguous().numpy().tobytes() for parameter in network.parameters())


@pytest.fixture
def saved_always(short_epochs, monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_SAVES", -1)


def interrupt(recipe: Recipe, state: Path, after: int, seed: int = 0) -> EpochRecord:
    """Train until a record, then drop the run; its state stays in the file."""
    run = in_bfloat16(recipe, "cpu", seed, state)
    for record in run:
        if record.epoch == after:
            run.close()
            return record
    raise AssertionError("the run ended first")


@pytest.mark.parametrize(
    "after",
    slowly(([1], [2], [3], [4], [1, 2, 3, 4]), lambda after: after in ([2], [1, 2, 3, 4])),
    ids=["in phase 1", "at the border", "early in phase 2", "late in phase 2", "every epoch"],
)
def test_a_resumed_run_ends_in_the_same_bits(tmp_path, saved_always, after):
    whole = list(in_bfloat16(TWO_PHASES, "cpu"))
    state = tmp_path / "deeper" / "run.safetensors"
    for epoch in after:
        record = interrupt(TWO_PHASES, state, epoch)
    rest = list(in_bfloat16(TWO_PHASES, "cpu", state=state))
    assert [r.epoch for r in rest] == list(range(after[-1] + 1, 6))
    assert bits(rest[-1].network) == bits(whole[-1].network)
    assert rest[0].seconds > record.seconds
    for resumed, uninterrupted in zip(rest, whole[after[-1] :], strict=True):
        same = [dataclasses.replace(r, seconds=0, network=None) for r in (resumed, uninterrupted)]
        assert same[0] == same[1]


@pytest.mark.slow
def test_a_convolutional_run_resumes_in_the_same_bits(tmp_path, saved_always, monkeypatch):
    monkeypatch.setattr(loop, "TRAINING_IMAGES", 40)
    recipe = Recipe(
        "cnn",
        "vanilla",
        cnn(),
        complementary=("relu", "relu", "relu", "identity"),
        phases=(Phase(epochs=2, batch_size=20, learning_rate=1e-3),),
    )
    monkeypatch.setattr(loop, "PROBED", 10)
    *_, whole = in_bfloat16(recipe, "cpu")
    interrupt(recipe, tmp_path / "run", after=1)
    *_, resumed = in_bfloat16(recipe, "cpu", state=tmp_path / "run")
    assert bits(resumed.network) == bits(whole.network)


def test_the_state_is_kept_only_every_so_often(tmp_path, short_epochs, monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_SAVES", 3_600)
    list(in_bfloat16(TWO_PHASES, "cpu", state=tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []


def test_whoever_closes_a_run_finds_its_state_kept(tmp_path, short_epochs, monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_SAVES", 3_600)
    *_, whole = in_bfloat16(TWO_PHASES, "cpu")
    interrupt(TWO_PHASES, tmp_path / "run", after=3)
    first, last = in_bfloat16(TWO_PHASES, "cpu", state=tmp_path / "run")
    assert first.epoch == 4 and bits(last.network) == bits(whole.network)


def test_keeping_the_state_does_not_change_the_run(tmp_path, saved_always):
    *_, without = in_bfloat16(TWO_PHASES, "cpu")
    *_, kept = in_bfloat16(TWO_PHASES, "cpu", state=tmp_path / "run")
    assert bits(kept.network) == bits(without.network)


# As TWO_PHASES, but long enough to be killed at many places.
LONG = dataclasses.replace(
    TWO_PHASES,
    phases=(dataclasses.replace(TWO_PHASES.phases[0], epochs=6), dataclasses.replace(TWO_PHASES.phases[1], epochs=12)),
)

TO_BE_KILLED = """
import sys
from pathlib import Path
from satcore.training import loop
from tests.training.test_loop import LONG

loop.TRAINING_IMAGES = 6_000
loop.SECONDS_BETWEEN_SAVES = -1
for record in loop.train(LONG, "cpu", state=Path(sys.argv[1]), precision="bfloat16"):
    pass
"""


@pytest.fixture(scope="module")
def uninterrupted() -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "TRAINING_IMAGES", 6_000)
        *_, last = in_bfloat16(LONG, "cpu")
    return bits(last.network)


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_in_the_same_bits(tmp_path, saved_always, uninterrupted):
    state = tmp_path / "run.safetensors"
    moments = random.Random(0)
    process = subprocess.Popen([sys.executable, "-c", TO_BE_KILLED, str(state)], cwd=ROOT)
    try:
        # A moment is counted in states seen, not in seconds, so that a fast machine doesn't get to the end first.
        states = moments.randrange(1, 14)
        for _ in range(states):
            wait_for_another(state, process)
        time.sleep(moments.uniform(0, 0.02))
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    rest = list(in_bfloat16(LONG, "cpu", state=state))
    assert rest[0].epoch > states
    assert bits(rest[-1].network) == uninterrupted


def wait_for_another(state: Path, process: subprocess.Popen) -> None:
    """Until `state` is another file than it is now."""
    before = state.stat().st_mtime_ns if state.exists() else None
    while not state.exists() or state.stat().st_mtime_ns == before:
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.001)


def refused(recipe: Recipe, state: Path, seed: int = 0) -> str:
    before = state.read_bytes()
    with pytest.raises(ValueError) as refusal:
        next(in_bfloat16(recipe, "cpu", seed, state))
    assert state.read_bytes() == before
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_the_state_of_another_recipe_or_seed_is_refused(tmp_path, saved_always):
    state = tmp_path / "run"
    interrupt(TWO_PHASES, state, after=1)
    other = dataclasses.replace(TWO_PHASES, initial_scale=2.0)
    rate = dataclasses.replace(
        TWO_PHASES, phases=(dataclasses.replace(TWO_PHASES.phases[0], learning_rate=2e-2), TWO_PHASES.phases[1])
    )
    for recipe, seed in ((other, 0), (rate, 0), (TWO_PHASES, 1)):
        assert refused(recipe, state, seed) == (
            f"expected the state of {recipe.name} with seed {seed} in {state}, got that of another recipe or seed; "
            "delete it to start again"
        )


@pytest.mark.parametrize(
    "damage",
    {
        "truncated": lambda content: content[:-1],
        "half": lambda content: content[: len(content) // 2],
        "empty": lambda content: b"",
        "garbage": lambda content: np.random.default_rng(0).bytes(len(content)),
        "a header that is no JSON": lambda content: content[:8] + b"?" + content[9:],
    }.items(),
    ids=lambda item: item[0],
)
def test_a_damaged_state_is_refused(tmp_path, saved_always, damage):
    state = tmp_path / "run"
    interrupt(TWO_PHASES, state, after=1)
    state.write_bytes(damage[1](state.read_bytes()))
    message = refused(TWO_PHASES, state)
    assert message.startswith(f"expected the state of an interrupted run in {state}, got a file that can't be read (")
    assert message.endswith("); delete it to start again")
