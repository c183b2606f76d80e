"""The twelve recipes, and what a recipe is."""

import dataclasses
import json

import pytest

from satcore.networks import cnn, mlp
from satcore.recipes import FAMILIES, RECIPES, TRAININGS, Annealing, Phase, Recipe, control

SHORT = Phase(epochs=2, batch_size=600, learning_rate=1e-2)


def lams(recipe: Recipe) -> list[float]:
    return [phase.penalty(epoch) for phase in recipe.phases for epoch in range(phase.epochs)]


def test_there_are_twelve_in_the_order_of_table_1():
    assert list(RECIPES) == [
        "sigmoid-mlp/vanilla",
        "sigmoid-mlp/adversarial",
        "sigmoid-mlp/saturated",
        "sigmoid-mlp/control",
        "relu-mlp/vanilla",
        "relu-mlp/adversarial",
        "relu-mlp/saturated",
        "relu-mlp/control",
        "cnn/vanilla",
        "cnn/adversarial",
        "cnn/saturated",
        "cnn/control",
    ]


def test_each_goes_by_its_own_name():
    for name, recipe in RECIPES.items():
        assert recipe.name == name == f"{recipe.family}/{recipe.training}"
        assert recipe.family in FAMILIES and recipe.training in TRAININGS


def test_the_penalty_is_on_every_layer_and_stronger_on_the_cnns_read_out():
    expected = {
        "sigmoid-mlp": ("sigmoid",) * 3,
        "relu-mlp": ("relu",) * 3,
        "cnn": ("relu", "relu", "relu", "identity"),
    }
    for recipe in RECIPES.values():
        assert recipe.complementary == expected[recipe.family]


def test_only_saturated_networks_are_penalised_and_only_adversarial_ones_see_attacks():
    for recipe in RECIPES.values():
        assert (max(lams(recipe)) > 0) == (recipe.training == "saturated")
        assert {phase.clean_share for phase in recipe.phases} == {0.5 if recipe.training == "adversarial" else 1.0}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_networks_of_a_family_have_one_shape(family):
    assert len({(recipe.hidden, recipe.complementary) for recipe in RECIPES.values() if recipe.family == family}) == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_the_control_is_the_saturated_recipe_but_for_lambda(family):
    saturated, without = RECIPES[f"{family}/saturated"], RECIPES[f"{family}/control"]
    assert without == control(saturated)
    assert set(lams(without)) == {0.0}
    phases = tuple(
        dataclasses.replace(phase, penalty=penalised.penalty)
        for phase, penalised in zip(without.phases, saturated.phases, strict=True)
    )
    assert dataclasses.replace(without, training="saturated", phases=phases) == saturated


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_json(name):
    recipe = RECIPES[name]
    again = Recipe.from_json(json.loads(json.dumps(dataclasses.asdict(recipe))))
    assert again == recipe and hash(again) == hash(recipe)


@pytest.mark.parametrize(
    "damage, error",
    [
        (lambda fields: fields.pop("phases"), KeyError),
        (lambda fields: fields.pop("hidden"), TypeError),
        (lambda fields: fields.update(colour="red"), TypeError),
        (lambda fields: fields["phases"][0].pop("penalty"), KeyError),
        (lambda fields: fields["phases"][0].update(momentum=0.9), TypeError),
        (lambda fields: fields.update(phases=3), TypeError),
        (lambda fields: fields.update(training="other"), ValueError),
    ],
)
def test_other_json_is_no_recipe(damage, error):
    fields = json.loads(json.dumps(dataclasses.asdict(RECIPES["relu-mlp/vanilla"])))
    damage(fields)
    with pytest.raises(error):
        Recipe.from_json(fields)


@pytest.mark.parametrize(
    "family, training",
    [("relu-mlp", "other"), ("relu-mlp", ""), ("tanh-mlp", "vanilla"), ("Relu-MLP", "vanilla"), ("", "vanilla")],
)
def test_another_family_or_training_is_refused(family, training):
    with pytest.raises(ValueError) as refusal:
        Recipe(family, training, 16, (SHORT,), ("relu",) * 3)
    assert str(refusal.value) == (
        "expected a family out of sigmoid-mlp, relu-mlp, cnn "
        f"and a training out of vanilla, adversarial, saturated, control, got '{family}/{training}'"
    )


def test_a_recipes_architecture_is_that_of_its_family():
    for name, recipe in RECIPES.items():
        expected = cnn() if name.startswith("cnn/") else mlp(name.partition("-")[0], (400, 400))
        assert recipe.architecture == expected
    assert dataclasses.replace(RECIPES["relu-mlp/vanilla"], hidden=7).architecture == mlp("relu", (7, 7))


def test_another_precision_is_refused():
    with pytest.raises(ValueError, match='expected the precision "float32" or "bfloat16", got \'float16\''):
        Recipe("relu-mlp", "vanilla", 16, (SHORT,), ("relu",) * 3, precision="float16")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"complementary": ("relu",) * 2}, "expected 3 complementary functions out of relu, "),
        (
            {"complementary": ("relu", "relu", "linear")},
            "expected 3 complementary functions out of relu, ",
        ),
        ({"family": "cnn"}, "expected 4 complementary functions out of relu, "),
        ({"hidden": 0}, "expected a hidden width of at least 1, or 0 for the CNN, got 0"),
        ({"hidden": "wide"}, "expected a hidden width of at least 1, or 0 for the CNN, got 'wide'"),
        ({"phases": ()}, "expected at least one phase, got none"),
    ],
)
def test_a_recipe_that_fits_no_network_is_refused(change, message):
    with pytest.raises(ValueError) as refusal:
        dataclasses.replace(RECIPES["relu-mlp/vanilla"], **change)
    assert str(refusal.value).startswith(message)


def test_adversarial_examples_on_frozen_layers_are_refused():
    with pytest.raises(ValueError, match="expected adversarial examples or frozen layers, got both"):
        dataclasses.replace(SHORT, frozen=1, clean_share=0.5)


@pytest.mark.parametrize("epochs", [0, -1])
def test_a_phase_without_epochs_is_refused(epochs):
    with pytest.raises(ValueError, match=f"expected at least one epoch a phase, got {epochs}"):
        Phase(epochs=epochs, batch_size=600, learning_rate=1e-2)


@pytest.mark.parametrize("batch_size", [0, -600, 7, 60_001, 120_000])
def test_a_batch_size_that_leaves_a_remainder_is_refused(batch_size):
    with pytest.raises(ValueError, match=f"expected a batch size that divides 60000, got {batch_size}"):
        Phase(epochs=1, batch_size=batch_size, learning_rate=1e-2)


def test_every_epoch_falls_in_its_phase():
    phases = (SHORT, dataclasses.replace(SHORT, epochs=1), dataclasses.replace(SHORT, epochs=3))
    recipe = Recipe("relu-mlp", "vanilla", 16, phases, ("relu",) * 3)
    assert recipe.epochs == 6
    assert [recipe.phase_of(epoch) for epoch in range(6)] == [
        (phases[0], 0),
        (phases[0], 1),
        (phases[1], 0),
        (phases[2], 0),
        (phases[2], 1),
        (phases[2], 2),
    ]
    with pytest.raises(IndexError):
        recipe.phase_of(6)


def test_the_learning_rate_is_held_or_moves_linearly_to_the_last():
    assert [SHORT.rate(epoch) for epoch in range(2)] == [1e-2, 1e-2]
    falling = Phase(epochs=5, batch_size=600, learning_rate=9e-3, last_learning_rate=1e-3)
    assert [falling.rate(epoch) for epoch in range(5)] == pytest.approx([9e-3, 7e-3, 5e-3, 3e-3, 1e-3], rel=1e-14)
    assert Phase(epochs=1, batch_size=600, learning_rate=9e-3, last_learning_rate=1e-3).rate(0) == 9e-3


def test_recipes_phases_and_annealings_cannot_be_changed():
    recipe = RECIPES["relu-mlp/saturated"]
    for thing, field in ((recipe, "hidden"), (recipe.phases[0], "epochs"), (recipe.phases[0].penalty, "step")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, field, 1)
    assert Annealing() == Annealing(0.0, 0.0, 0.0)
