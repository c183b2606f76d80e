"""The live attack page, run without a browser, and what stands behind it."""

import csv
import gc
import io
import json
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from satcore.dashboard.attack_run import SCALARS, Run, Settings
from streamlit.testing.v1 import AppTest

from satcore import attacks, checkpoints, data
from satcore.dashboard import attack_run, downloads

ROOT = Path(__file__).parent.parent
MLPS = tuple(f"sigmoid-mlp/{training}" for training in ("vanilla", "adversarial", "saturated", "control"))
INDEX = 30  # a 3


def opened(**parameters) -> AppTest:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    for name, value in ({"pick": "by index", "index": str(INDEX)} | parameters).items():
        page.query_params[name] = value
    return page.run().switch_page("pages/live_attack.py").run()


def drawn(page: AppTest) -> dict:
    """What the view was told, by network."""
    told = next(
        told for told in (json.loads(view.proto.json) for view in page.get("bidi_component")) if "networks" in told
    )
    return {network["name"]: network for network in told["networks"]}


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if label in button.label).click().run()


def run_of(attack: str, target: int | None = None, names: tuple[str, ...] = MLPS, **parameters) -> Run:
    images, labels = data.example("test", INDEX)
    return Run(Settings(names, int(labels), target, attack, tuple(sorted(parameters.items()))), images)


def ended(run: Run) -> Run:
    while not run.finished:
        run.advance(60)
    return run


@pytest.mark.parametrize(
    "attack, parameters",
    [
        ("FGSM", {"epsilon": 0.25}),
        ("PGD", {"epsilon": 0.25, "steps": 20}),
        ("Adam", {"steps": 60}),
        ("L-BFGS", {"steps": 60}),
        ("Square", {"epsilon": 0.25, "queries": 60}),
    ],
)
def test_a_run_ends_where_the_attack_itself_does(attack, parameters):
    run = ended(run_of(attack, **parameters))
    images, labels = data.example("test", INDEX)
    function = getattr(attacks, {"L-BFGS": "lbfgs"}.get(attack, attack.lower()))
    for name in MLPS:
        result = function(checkpoints.load(name), images, labels, targeted=False, **parameters)
        last = run.traces[name].rows[-1]
        assert (last[SCALARS.index("seen")] != int(labels)) == bool(result.success)
        assert (
            f"{int(result.iterations):,} " in run.traces[name].says
            or bool(result.zero_gradient)
            or not int(result.iterations)
        )
        if bool(result.success):
            assert run.traces[name].says.startswith("Fooled after")


def test_what_is_said_of_a_gradient_that_is_zero_is_true():
    run = ended(run_of("PGD", epsilon=0.25, steps=10))
    says = run.traces["sigmoid-mlp/saturated"].says
    assert says == "The gradient is exactly zero: this attack cannot move."
    assert run.traces["sigmoid-mlp/saturated"].column("log10_gradient").tolist() == [-np.inf]
    softened = ended(run_of("PGD", epsilon=0.25, steps=40, gradient="softened", temperature=30.0))
    assert softened.traces["sigmoid-mlp/saturated"].says.startswith("Fooled after")


def test_an_image_that_is_seen_as_neither_is_not_still_the_source():
    run = ended(
        run_of(
            "L-BFGS",
            target=7,
            names=("relu-mlp/saturated", "relu-mlp/control"),
            steps=1000,
            gradient="softened",
            temperature=30.0,
        )
    )
    for trace in run.traces.values():
        seen = int(trace.rows[-1][SCALARS.index("seen")])
        if seen not in (3, 7):
            assert trace.says.endswith(f"it sees {'an' if seen == 8 else 'a'} {seen}, not a 7.")
        else:
            assert trace.says.startswith("Fooled after") == (seen == 7) and ("still a 3" in trace.says) == (seen == 3)


def test_an_image_that_was_misread_is_not_said_to_have_been_fooled():
    images, labels = data.load("test")
    index = int((checkpoints.load(MLPS[0])(images).argmax(1) != labels).nonzero()[0])
    for attack, parameters in (("PGD", ()), ("FGSM", ()), ("Square", ())):
        run = ended(Run(Settings(MLPS[:1], int(labels[index]), None, attack, parameters), images[index : index + 1]))
        assert run.traces[MLPS[0]].says.endswith("before any attack.")


def test_an_image_that_was_misread_is_said_to_have_been_seen_as_what_it_was():
    images, labels = data.load("test")
    network = checkpoints.load("relu-mlp/vanilla")
    before, after = (
        network(x).argmax(1) for x in (images[:500], attacks.fgsm(network, images[:500], labels[:500]).images)
    )
    index = int(((before != labels[:500]) & (after != before)).nonzero()[0])
    run = ended(Run(Settings(("relu-mlp/vanilla",), int(labels[index]), None, "FGSM", ()), images[index : index + 1]))
    assert (
        run.traces["relu-mlp/vanilla"].says
        == f"It sees {attack_run._a(before[index])} before any attack, and {attack_run._a(after[index])} after it."
    )


def test_a_step_costs_little_garbage_collection():
    # Streamlit collects after every run of a fragment: with torch in sight that alone takes longer than a tick.
    assert gc.get_freeze_count() > 100_000


def test_a_network_that_sees_the_target_already_says_so_and_the_others_go_on():
    images, labels = data.load("test")
    seen = {name: checkpoints.load(name)(images).argmax(1) for name in MLPS[:2]}
    index = int(((seen[MLPS[0]] == labels) & (seen[MLPS[1]] != labels)).nonzero()[0])
    target = int(seen[MLPS[1]][index])
    run = ended(
        Run(Settings(MLPS[:2], int(labels[index]), target, "Adam", (("steps", 100),)), images[index : index + 1])
    )
    assert list(run.refused) == [MLPS[1]] and "doesn't see yet" in run.refused[MLPS[1]]
    assert run.traces[MLPS[0]].rows and not run.traces[MLPS[1]].rows


def test_a_long_trace_keeps_every_number_and_fewer_and_fewer_images():
    run = ended(run_of("Adam", target=7, names=("sigmoid-mlp/saturated",), steps=500))
    trace = run.traces["sigmoid-mlp/saturated"]
    assert len(trace.rows) == 501 and trace.column("iteration").tolist() == list(range(501))
    kept = [row for row, _ in trace.frames]
    assert 40 <= len(kept) <= attack_run.FRAMES and kept[0] == 0 and kept[-1] == 500 and kept == sorted(set(kept))
    assert len(set(np.diff(kept[:-1]))) == 1
    original = run.image[0, 0].numpy()
    for row, image in trace.frames:
        assert np.abs(image - original).max() == pytest.approx(trace.rows[row][SCALARS.index("linf")], abs=1e-6)


def test_a_finished_run_and_an_abandoned_one_give_their_memory_back():
    run = run_of("Adam", target=7, steps=100_000)
    run.advance(0.05)
    attack = next(iter(run._attacks.values()))
    there = weakref.ref(attack)
    del attack, run
    gc.collect()
    assert there() is None
    assert not ended(run_of("FGSM", epsilon=0.25))._attacks


def test_two_runs_do_not_disturb_each_other():
    alone = ended(run_of("PGD", epsilon=0.1, steps=12))
    one, other = run_of("PGD", epsilon=0.1, steps=12), run_of("Square", epsilon=0.3, queries=30)
    while not (one.finished and other.finished):
        one.step()
        other.step()
    for name in MLPS:
        np.testing.assert_array_equal(one.traces[name].rows, alone.traces[name].rows)


def test_the_csv_has_a_row_a_network_and_step():
    run = ended(run_of("PGD", epsilon=0.25, steps=5))
    rows = list(csv.DictReader(io.StringIO(downloads.csv_of_run(run))))
    assert len(rows) == sum(len(trace.rows) for trace in run.traces.values())
    assert {row["network"] for row in rows} == set(MLPS) and set(SCALARS) < set(rows[0])


def test_the_python_that_is_offered_repeats_the_attack(tmp_path, monkeypatch, capsys):
    run = ended(run_of("PGD", target=7, names=MLPS[:1], epsilon=0.25, steps=20))
    np.savez(tmp_path / "pgd-3-7.npz", original=run.image[0, 0].numpy())
    monkeypatch.chdir(tmp_path)
    exec(downloads.run_code(run), {})
    assert f"tensor([{len(run.traces[MLPS[0]].rows) - 1}])" in capsys.readouterr().out


# ---- the page


def test_it_opens_ready_to_play():
    page = opened()
    assert not page.exception and not page.error
    assert list(drawn(page)) == list(MLPS)
    assert all("It sees a 3." in network["says"] or "zero" in network["says"] for network in drawn(page).values())


def test_a_whole_attack_step_by_step_and_reset():
    page = opened(attack="PGD", gradient="softened", target="7")
    for _ in range(3):
        page = press(page, "Step")
    assert not page.exception and not page.error
    assert all("step" in network["says"] for network in drawn(page).values())
    page = press(page, "Reset")
    assert all(network["says"] == "It sees a 3." for network in drawn(page).values())


def test_play_and_pause():
    page = press(opened(attack="Adam", target="7", steps="1000"), "Play")
    assert not page.exception and any("Pause" in button.label for button in page.button)
    page = press(page, "Pause")
    rows = drawn(page)["sigmoid-mlp/saturated"]["columns"]["iteration"]
    page = page.run()
    assert drawn(page)["sigmoid-mlp/saturated"]["columns"]["iteration"] == rows


@pytest.mark.parametrize("attack", list(attack_run.STEPS))
@pytest.mark.parametrize("gradient", ["autograd", "exact", "softened"])
def test_a_link_reproduces_the_setup(attack, gradient):
    page = opened(attack=attack, gradient=gradient, target="7", family="relu-mlp")
    assert not page.exception and not page.error
    assert list(drawn(page)) == [name.replace("sigmoid", "relu") for name in MLPS]


def test_the_images_own_digit_as_target_is_refused_in_one_line():
    page = opened(target="3")
    assert not page.exception
    assert [error.value for error in page.error] == [
        "expected a digit to go to other than the image's own, got 3 for a 3"
    ]


def test_garbage_in_the_address_is_no_catastrophe():
    page = opened(
        attack="magic", gradient="up", target="twelve", radius="nan", steps="-1", rate="", temperature="0", family="x"
    )
    assert not page.exception


def test_drawing_asks_for_a_drawing():
    page = opened()
    page.session_state["pick"] = "draw one"
    page = page.run()
    assert not page.exception and not page.error
    assert "Draw a digit" in page.info[0].value


# ---- a drawn digit


def test_a_digit_of_mnist_is_still_seen_as_what_it_is():
    images, labels = data.load("test")
    again = torch.stack([data.centred(image) for image in images[:300, 0]])[:, None]
    assert again.shape == (300, 1, 28, 28) and again.dtype == torch.float32
    network = checkpoints.load("cnn/vanilla")
    assert (network(again).argmax(1) == labels[:300]).float().mean() > 0.97
    # Far off the centre and half the size, too, as somebody may draw it.
    small = torch.zeros(300, 28, 28)
    small[:, 14:, :14] = torch.nn.functional.interpolate(images[:300], (14, 14), mode="bilinear", antialias=True)[:, 0]
    assert (
        network(torch.stack([data.centred(image.clamp(0, 1)) for image in small])[:, None]).argmax(1) == labels[:300]
    ).float().mean() > 0.9
    assert (network(small[:, None]).argmax(1) == labels[:300]).float().mean() < 0.6


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 28), st.integers(1, 28), st.integers(0, 27), st.integers(0, 27))
def test_wherever_it_was_drawn_its_mass_comes_to_the_centre(seed, height, width, top, left):
    drawing = torch.zeros(28, 28)
    box = drawing[top : top + height, left : left + width]
    box[:] = 0.2 + 0.8 * torch.rand(box.shape, generator=torch.Generator().manual_seed(seed))
    field = data.centred(drawing)
    assert field.min() >= 0 and field.max() <= 1
    rows, columns = field.amax(1).nonzero().flatten(), field.amax(0).nonzero().flatten()
    assert max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 == 20
    place = torch.arange(28.0)
    for axis in (0, 1):
        assert abs(float((field.sum(1 - axis) * place).sum() / field.sum()) - 13.5) <= 0.51


@pytest.mark.parametrize(
    "drawing, message",
    [
        (torch.zeros(28, 28), "expected a drawing, got an empty field"),
        (torch.full((28, 28), 2.0), "values in"),
        (torch.full((28, 28), torch.nan), "values in"),
        (torch.ones(1, 28, 28), "two dimensions"),
    ],
)
def test_other_drawings_are_refused(drawing, message):
    with pytest.raises(ValueError, match=message):
        data.centred(drawing)
