"""The grids of Fig. 5 and 8: every cell is what it says it is."""

import itertools

import numpy as np
import pytest
import torch

from satcore import data, library
from satcore.evaluation import grids
from satcore.evaluation.grids import PAIRS, Setting
from satcore.networks import build, cnn, mlp
from tests.examples import SHIPPED, load, slowly

SETTING = Setting(attack="Adam", steps=60)


def filled(network, **settings) -> grids.Grid:
    *_, last = grids.fill(network, Setting(**settings))
    return last.grid


@pytest.fixture(scope="module")
def grid(tiny):
    return filled(tiny, **vars(SETTING))


def seen(network, grid) -> np.ndarray:
    """What `network` sees in each cell, (10, 10)."""
    images = torch.from_numpy(grid.images).view(100, 1, 28, 28)
    return network(images.to(next(network.parameters()).dtype)).argmax(1).view(10, 10).numpy()


def test_a_cell_is_found_where_the_network_sees_its_target(tiny, grid):
    off_diagonal = ~np.eye(10, dtype=bool)
    np.testing.assert_array_equal(grid.found, (seen(tiny, grid) == np.arange(10)) & off_diagonal)
    assert grid.fooled == grid.found.sum() > 45
    assert grid.done == 1
    assert (grid.iterations[off_diagonal] >= 1).all() and not grid.iterations.diagonal().any()


def test_the_diagonal_holds_the_sources_that_were_asked_for(tiny, grid):
    images, labels = data.load("test")
    with torch.no_grad():
        logits = tiny(images)
    assert grid.sources.tolist() == [data.most_confident(logits, labels, digit) for digit in range(10)]
    np.testing.assert_array_equal(grid.images[range(10), range(10)], images[grid.sources, 0].numpy())
    least = filled(tiny, source="least confident", attack="Adam", steps=1)
    assert least.sources.tolist() == [data.least_confident(logits, labels, digit) for digit in range(10)]


def test_every_pair_stands_in_its_row_and_column(tiny, grid):
    # From row to row the source changes, along a row only the target: each image is nearest to its own row's source.
    sources = grid.images[range(10), range(10)].reshape(10, -1)
    for source, target in PAIRS:
        distances = np.square(sources - grid.images[source, target].ravel()).sum(1)
        assert distances.argmin() == source


def test_it_fills_step_by_step_and_keeps_what_it_has(tiny):
    shares, found = [], []
    for filling in grids.fill(tiny, Setting(attack="Adam", steps=30)):
        shares.append(filling.done)
        found.append(filling.grid.found)
    assert shares == sorted(shares) and shares[0] < shares[-1] == 1
    for earlier, later in itertools.pairwise(found):
        assert (later | ~earlier).all()


@pytest.mark.slow
def test_what_adam_leaves_at_rest_is_told_from_what_it_leaves_open():
    network = load("relu-mlp/saturated")
    few, many = (filled(network, attack="Adam", steps=steps) for steps in (100, 30_000_000))
    assert few.resists.any() and not few.rests.any() and np.isinf(few.drift[few.resists]).all()
    assert many.done == 1 and (many.rests == many.resists).all() and many.iterations.max() < 1000
    assert (many.found | ~few.found).all() and not many.drift.any() and not many.drifts.any()


@pytest.mark.slow
def test_what_adam_is_proven_to_leave_nearly_at_rest_is_told_from_both():
    grid = filled(load("sigmoid-mlp/saturated"), attack="Adam", steps=400)
    assert grid.drifts.any() and (grid.resists & ~grid.drifts & ~grid.rests).any()
    assert (grid.drift[grid.drifts] < 0.01).all() and (grid.iterations[grid.drifts] == 400).all()
    softened = filled(load("sigmoid-mlp/saturated"), attack="Adam", steps=1, gradient="softened", temperature=30.0)
    assert not softened.drifts.any()


def test_of_lbfgs_nothing_is_proven(tiny):
    grid = filled(tiny, steps=1)
    assert grid.resists.any() and np.isinf(grid.drift[grid.resists]).all() and not grid.drift[grid.found].any()


@pytest.fixture
def own(tiny) -> str:
    """The name of a network on the user's shelf."""
    return library.add(tiny, "tiny")


def same(one: grids.Grid, other: grids.Grid) -> bool:
    return all(np.array_equal(array, vars(other)[name]) for name, array in vars(one).items())


@pytest.mark.parametrize("name", ["mine/tiny", "relu-mlp/vanilla"])
def test_a_grid_comes_back_as_it_was_kept(grid, own, name):
    assert grids.load(name, SETTING) is None
    grids.save(name, SETTING, grid)
    assert same(grids.load(name, SETTING), grid)


def test_a_grid_of_a_shipped_network_is_kept_on_the_users_shelf_and_what_ships_stays(grid, own_shelf):
    name = "relu-mlp/vanilla"
    shipped = {path: path.read_bytes() for path in (library.SHIPPED / name).rglob("*") if path.is_file()}
    grids.save(name, SETTING, grid)
    assert shipped == {path: path.read_bytes() for path in (library.SHIPPED / name).rglob("*") if path.is_file()}
    (kept,) = (path for path in own_shelf.rglob("*") if path.is_file())
    assert kept == own_shelf / "about" / library.describe(name).sha256 / "grids" / kept.name


def test_another_networks_grid_and_another_settings_are_not_taken_for_it(grid, own):
    grids.save(own, SETTING, grid)
    for other in (
        Setting(),
        Setting(attack="Adam", steps=61),
        Setting("least confident", "Adam", steps=60),
        Setting(attack="Adam", gradient="exact", steps=60),
        Setting(attack="Adam", gradient="softened", temperature=3.0, steps=60),
    ):
        assert grids.load(own, other) is None
    (path,) = library.folder_of(own).rglob("*.npz")
    content = path.read_bytes()
    library.remove(own)
    assert library.add(build(mlp("relu", (16, 16)), seed=9), "tiny") == own  # other weights under the same name
    path.parent.mkdir()
    path.write_bytes(content)
    assert grids.load(own, SETTING) is None


def test_a_damaged_grid_is_refused_in_one_sentence(grid, own):
    grids.save(own, SETTING, grid)
    (path,) = library.folder_of(own).rglob("*.npz")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"expected a grid in .*, got a damaged file"):
        grids.load(own, SETTING)


@pytest.mark.parametrize("field, value", [("sources", -1), ("sources", 10_000), ("iterations", -1)])
def test_a_grid_of_images_that_there_are_not_is_refused(grid, own, field, value):
    grids.save(own, SETTING, grid)
    (path,) = library.folder_of(own).rglob("*.npz")
    with np.load(path) as arrays:
        fields = dict(arrays)
    fields[field].flat[3] = value
    np.savez_compressed(path, **fields)
    with pytest.raises(ValueError, match=r"expected a grid in .*, got a damaged file"):
        grids.load(own, SETTING)


def test_of_a_grid_kept_without_proofs_nothing_is_proven(grid, own):
    grids.save(own, SETTING, grid)
    (path,) = library.folder_of(own).rglob("*.npz")
    with np.load(path) as arrays:
        np.savez_compressed(path, **{name: array for name, array in arrays.items() if name != "drift"})
    found = grids.load(own, SETTING)
    assert np.isinf(found.drift[found.resists]).all() and not found.drift[~found.resists].any()


@pytest.mark.parametrize(
    "wrong, message",
    [({"source": "random"}, "expected sources out of"), ({"attack": "FGSM"}, "expected an attack out of")],
)
def test_other_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Setting(**wrong)


def test_no_steps_are_refused(tiny):
    with pytest.raises(ValueError, match="expected 1 or more steps, got 0"):
        next(grids.fill(tiny, Setting(steps=0)))


def test_what_ships_is_lbfgs_in_three_ways_and_adam():
    for name in SHIPPED:
        settings = grids.shipped(name)
        assert len(set(settings)) == len(settings) == 7
        assert Setting() in settings and {setting.source for setting in settings} == set(grids.SOURCES)


def test_adam_isnt_asked_of_a_users_convolutions(own):
    assert len(grids.shipped(own)) == 7
    assert [setting.attack for setting in grids.shipped(library.add(build(cnn()), "own"))] == ["L-BFGS"] * 6


@pytest.mark.shipped
@pytest.mark.parametrize("name", slowly(SHIPPED, lambda name: not name.startswith("cnn/")))
def test_the_shipped_grids_are_of_the_shipped_network_and_true(name):
    for setting in grids.shipped(name):
        check_grid(load(name), setting, grids.load(name, setting))


def check_grid(network, setting: Setting, grid: grids.Grid | None):
    assert grid is not None, f"{setting} is missing, or another network's: python -m satcore grids"
    np.testing.assert_array_equal(grid.found, (seen(network, grid) == np.arange(10)) & ~np.eye(10, dtype=bool))
    assert grid.images.min() >= 0 and grid.images.max() <= 1 and grid.done == 1
    assert (grid.iterations <= setting.steps).all()
    if setting.attack == "Adam":
        np.testing.assert_array_equal(grid.rests, grid.resists & (grid.iterations < setting.steps))
    images, labels = data.load("test")
    assert labels[grid.sources].tolist() == list(range(10))
    np.testing.assert_array_equal(grid.images[range(10), range(10)], images[grid.sources, 0].numpy())


@pytest.mark.parametrize("setting", [*map(Setting, grids.SOURCES), Setting(attack="Adam", steps=100_000)])
@pytest.mark.parametrize("name", [name for name in SHIPPED if name.endswith("/vanilla")])
def test_vanilla_is_fooled_on_every_pair(name, setting):
    assert grids.load(name, setting).fooled == 90


@pytest.mark.shipped
def test_of_a_saturated_network_of_relus_nothing_is_open_in_the_papers_30_million_iterations():
    grid = grids.load("relu-mlp/saturated", Setting(attack="Adam", steps=100_000))
    assert grid.resists[3, 7] and (grid.rests == grid.resists).all()
