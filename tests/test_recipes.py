"""The twelve recipes, and what a recipe is."""

import dataclasses
import json
import math

import pytest

from satcore.networks import cnn, mlp
from satcore.recipes import (
    FAMILIES,
    PAPER_TRAININGS,
    RECIPES,
    STEP,
    TRAININGS,
    Annealing,
    Phase,
    Recipe,
    changed,
    control,
)

SHORT = Phase(epochs=2, batch_size=600, learning_rate=1e-2)
SMALL = mlp("relu", (16, 16))


def lams(recipe: Recipe) -> list[float]:
    return [phase.penalty(epoch) for phase in recipe.phases for epoch in range(phase.epochs)]


def of_the_paper() -> list[Recipe]:
    return [recipe for recipe in RECIPES.values() if recipe.training in PAPER_TRAININGS]


def test_the_papers_are_in_the_order_of_table_1_and_a_dendritic_one_ends_each_family():
    assert list(RECIPES) == [
        "sigmoid-mlp/vanilla",
        "sigmoid-mlp/adversarial",
        "sigmoid-mlp/saturated",
        "sigmoid-mlp/control",
        "sigmoid-mlp/dendritic",
        "relu-mlp/vanilla",
        "relu-mlp/adversarial",
        "relu-mlp/saturated",
        "relu-mlp/control",
        "relu-mlp/dendritic",
        "cnn/vanilla",
        "cnn/adversarial",
        "cnn/saturated",
        "cnn/control",
        "cnn/dendritic",
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
    for recipe in of_the_paper():
        assert recipe.complementary == expected[recipe.family]


def test_only_saturated_networks_are_penalised_and_only_adversarial_ones_see_attacks():
    for recipe in RECIPES.values():
        assert (max(lams(recipe)) > 0) == (recipe.training == "saturated")
        assert any(phase.attacked for phase in recipe.phases) == (recipe.training == "adversarial")


def test_the_images_share_of_a_dendritic_recipe_is_that_of_its_bounded_phases():
    there = changed(RECIPES["relu-mlp/dendritic"], {"clean_share": 0.3})
    assert there.training == "dendritic"
    assert [(phase.clean_share, phase.last_clean_share) for phase in there.phases] == [
        (1, None),
        (0.3, None),
        (0.3, None),
    ]


def test_dendritic_networks_step_first_and_are_trained_on_bounds():
    for recipe in RECIPES.values():
        dendritic = recipe.training == "dendritic"
        assert (recipe.architecture[0] == STEP) == recipe.for_bounds == dendritic
        assert any(phase.bounded for phase in recipe.phases) == dendritic
        assert not dendritic or recipe.phases[-1].within(0) == recipe.epsilon == 0.25


@pytest.mark.parametrize("family", FAMILIES)
def test_the_networks_of_a_family_have_one_shape(family):
    assert (
        len({(recipe.architecture, recipe.complementary) for recipe in of_the_paper() if recipe.family == family}) == 1
    )


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
    again = Recipe.from_json(json.loads(json.dumps(recipe.to_json())))
    assert again == recipe and hash(again) == hash(recipe)


@pytest.mark.parametrize(
    "damage, error",
    [
        (lambda fields: fields.pop("phases"), KeyError),
        (lambda fields: fields.pop("architecture"), KeyError),
        (lambda fields: fields.update(colour="red"), TypeError),
        (lambda fields: fields["phases"][0].update(penalty=3), TypeError),
        (lambda fields: fields["phases"][0].update(momentum=0.9), TypeError),
        (lambda fields: fields.update(phases=3), TypeError),
        (lambda fields: fields.update(training="other"), ValueError),
    ],
)
def test_other_json_is_no_recipe(damage, error):
    fields = json.loads(json.dumps(RECIPES["relu-mlp/vanilla"].to_json()))
    damage(fields)
    with pytest.raises(error):
        Recipe.from_json(fields)


def test_a_recipe_of_an_older_card_is_read_as_it_was():
    fields = json.loads(json.dumps(RECIPES["relu-mlp/vanilla"].to_json()))
    del fields["architecture"]
    assert Recipe.from_json(fields | {"hidden": 400, "precision": "bfloat16"}) == RECIPES["relu-mlp/vanilla"]
    assert Recipe.from_json(fields | {"hidden": 7}).architecture == mlp("relu", (7, 7))


@pytest.mark.parametrize("family, training", [("relu-mlp", "other"), ("relu-mlp", ""), ("", "vanilla"), (3, "vanilla")])
def test_another_training_or_no_family_is_refused(family, training):
    with pytest.raises(ValueError) as refusal:
        Recipe(family, training, SMALL, (SHORT,), ("relu",) * 3)
    assert str(refusal.value) == (
        "expected a family's name and a training out of vanilla, adversarial, saturated, control, dendritic, "
        f"got '{family}/{training}'"
    )


def test_a_recipes_architecture_is_that_of_its_family():
    for recipe in of_the_paper():
        name = recipe.name
        expected = cnn() if name.startswith("cnn/") else mlp(name.partition("-")[0], (400, 400))
        assert recipe.architecture == expected


@pytest.mark.parametrize(
    "change, message",
    [
        ({"complementary": ("relu",) * 2}, "expected 3 complementary functions out of relu, "),
        (
            {"complementary": ("relu", "relu", "linear")},
            "expected 3 complementary functions out of relu, ",
        ),
        ({"architecture": cnn()}, "expected 4 complementary functions out of relu, "),
        ({"architecture": ()}, "expected from 1 to 64 blocks, got 0"),
        ({"epsilon": 2}, "expected FGSM's ε from 0 to 1, got 2"),
        ({"initial_scale": math.nan}, "expected an initial scale from 0 to 1000, got nan"),
        ({"phases": ()}, "expected at least one phase, got none"),
    ],
)
def test_a_recipe_that_fits_no_network_is_refused(change, message):
    with pytest.raises(ValueError) as refusal:
        dataclasses.replace(RECIPES["relu-mlp/vanilla"], **change)
    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize(
    "change", [{"clean_share": 0.5}, {"within": Annealing(0, 0.1, 0.1)}, {"shift": 1}, {"bend": 0.1}]
)
def test_what_frozen_layers_would_have_to_see_is_refused(change):
    refusal = "expected frozen layers, or adversarial examples, bounds or moved images, got both"
    with pytest.raises(ValueError, match=refusal):
        dataclasses.replace(SHORT, frozen=1, **change)


@pytest.mark.parametrize("epochs", [0, -1])
def test_a_phase_without_epochs_is_refused(epochs):
    with pytest.raises(ValueError, match=f"expected epochs a phase as a whole number from 1 to 100,000, got {epochs}"):
        Phase(epochs=epochs, batch_size=600, learning_rate=1e-2)


@pytest.mark.parametrize("batch_size", [0, -600, 7, 60_001, 120_000])
def test_a_batch_size_that_leaves_a_remainder_is_refused(batch_size):
    with pytest.raises(ValueError, match=f"expected a batch size that divides 60,000, got {batch_size}"):
        Phase(epochs=1, batch_size=batch_size, learning_rate=1e-2)


def test_every_epoch_falls_in_its_phase():
    phases = (SHORT, dataclasses.replace(SHORT, epochs=1), dataclasses.replace(SHORT, epochs=3))
    recipe = Recipe("relu-mlp", "vanilla", SMALL, phases, ("relu",) * 3)
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
    for thing, field in ((recipe, "family"), (recipe.phases[0], "epochs"), (recipe.phases[0].penalty, "step")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, field, 1)
    assert Annealing() == Annealing(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"learning_rate": 0.0 - 1}, "expected a learning rate from 0 to 1, got -1.0"),
        ({"learning_rate": "fast"}, "expected a learning rate from 0 to 1, got 'fast'"),
        ({"last_learning_rate": math.inf}, "expected a last learning rate from 0 to 1, got inf"),
        ({"clean_share": 1.5}, "expected a clean share α from 0 to 1, got 1.5"),
        ({"beta2": 1.0}, "expected Adam's β₂ from 0 to 1, got 1.0"),
        ({"frozen": -1}, "expected frozen blocks as a whole number from 0 to 64, got -1"),
        ({"epochs": 1.5}, "expected epochs a phase as a whole number from 1 to 100,000, got 1.5"),
        ({"shift": 9}, "expected pixels that images are moved by as a whole number from 0 to 8, got 9"),
        ({"bend": 0.6}, "expected what images are bent by from 0 to 0.5, got 0.6"),
        ({"epochs": 10**6}, "expected epochs a phase as a whole number from 1 to 100,000, got 1000000"),
    ],
)
def test_a_phase_of_other_numbers_is_refused(change, message):
    with pytest.raises(ValueError) as refusal:
        dataclasses.replace(SHORT, **change)
    assert str(refusal.value) == message


@pytest.mark.parametrize("lam", [(-1e-9, 0, 0), (0, math.nan, 0), (0, 0, math.inf), (0, 0, "1"), (True, 0, 0)])
def test_another_lambda_is_refused(lam):
    with pytest.raises(ValueError, match=r"expected λ's (start|step|maximum) at least 0, got "):
        Annealing(*lam)


def test_what_a_recipe_is_called_is_no_part_of_what_it_is():
    recipe = RECIPES["relu-mlp/saturated"]
    assert dataclasses.replace(recipe, family="mine", training="control").identity == recipe.identity
    assert len({recipe.identity for recipe in RECIPES.values()}) == len(RECIPES)
    assert changed(recipe, {"lambda_max": 0}).identity == RECIPES["relu-mlp/control"].identity
    assert changed(recipe, {"initial_scale": 1}).identity == recipe.identity


@pytest.mark.parametrize("name", [recipe.name for recipe in of_the_paper()])
def test_a_setting_that_is_there_already_changes_nothing(name):
    recipe = RECIPES[name]
    phases = recipe.phases
    same = {"lambda_max": recipe.lambda_max, "step": False, "initial_scale": recipe.initial_scale}
    if len({phase.batch_size for phase in phases}) == 1:
        same["batch_size"] = phases[0].batch_size
    if not name.startswith("cnn"):
        same |= {"widths": (400, 400), "nonlinearity": name.partition("-")[0]}
    if recipe.lambda_max:  # where there is no λ, one would rise
        same["epochs"] = max(phase.epochs for phase in phases)
    assert (
        changed(recipe, same if recipe.lambda_max else {k: v for k, v in same.items() if k != "lambda_max"}) == recipe
    )


def test_widths_nonlinearity_and_a_step_are_free():
    recipe = changed(RECIPES["sigmoid-mlp/saturated"], {"widths": (30, 20, 10), "nonlinearity": "ramp", "step": True})
    assert recipe.architecture == (STEP, *mlp("ramp", (30, 20, 10)))
    assert recipe.complementary == ("step", "ramp", "ramp", "ramp", "ramp")
    assert changed(recipe, {"step": False}).architecture == mlp("ramp", (30, 20, 10))
    stepped = changed(RECIPES["cnn/saturated"], {"step": True})
    assert stepped.complementary == ("step", "relu", "relu", "relu", "identity")
    assert [phase.frozen for phase in stepped.phases] == [0, 3, 3]  # the same layers as before
    assert changed(stepped, {"step": False}) == RECIPES["cnn/saturated"]


def test_lambda_keeps_its_course_and_rises_evenly_where_there_was_none():
    saturated = RECIPES["sigmoid-mlp/saturated"]
    assert lams(changed(saturated, {"lambda_max": 0.174})) == pytest.approx([lam / 10 for lam in lams(saturated)])
    rising = changed(RECIPES["relu-mlp/vanilla"], {"lambda_max": 0.2})
    assert lams(rising) == pytest.approx([0.2 * epoch / 20 for epoch in range(20)])
    assert rising.training == "saturated" and changed(rising, {"lambda_max": 0}).training == "control"


def test_fewer_epochs_take_lambda_all_the_way():
    recipe = changed(RECIPES["relu-mlp/saturated"], {"epochs": 42})
    assert recipe.epochs == 42
    whole = lams(RECIPES["relu-mlp/saturated"])
    assert lams(recipe) == pytest.approx([whole[10 * epoch] for epoch in range(42)])


def test_fewer_epochs_take_epsilon_all_the_way():
    recipe = changed(RECIPES["relu-mlp/dendritic"], {"epochs": 10})  # of its last phase; then of the one before
    _, rising, last = changed(recipe, {"epochs": 20}).phases
    assert (rising.epochs, last.epochs) == (20, 10)
    assert rising.within.step * rising.epochs == pytest.approx(last.within(0)) == 0.25


def test_a_rate_that_falls_falls_in_proportion():
    (phase,) = changed(RECIPES["relu-mlp/vanilla"], {"learning_rate": 6e-3}).phases
    assert (phase.learning_rate, phase.last_learning_rate) == (6e-3, pytest.approx(6e-5))
    stopped = changed(RECIPES["relu-mlp/vanilla"], {"learning_rate": 0.0})
    (phase,) = changed(stopped, {"learning_rate": 2e-3}).phases
    assert (phase.learning_rate, phase.last_learning_rate) == (2e-3, 0.0)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"colour": "red"}, "expected a setting out of widths, nonlinearity, step, lambda_max, "),
        ({"widths": ()}, "expected the width of at least one hidden layer, got none"),
        ({"widths": (10**6,)}, "expected at most "),
        ({"widths": (0,)}, "expected units a layer as a whole number from 1 to "),
        ({"nonlinearity": "swish"}, "expected a nonlinearity out of "),
        ({"lambda_max": -1}, "expected λ's maximum at least 0, got -1"),
        ({"epochs": 0}, "expected epochs as a whole number from 1 to 100,000, got 0"),
        ({"batch_size": 7}, "expected a batch size that divides 60,000, got 7"),
        ({"clean_share": -0.1}, "expected a clean share α from 0 to 1, got -0.1"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_a_sentence(settings, message):
    with pytest.raises(ValueError) as refusal:
        changed(RECIPES["relu-mlp/saturated"], settings)
    assert str(refusal.value).startswith(message) and "\n" not in str(refusal.value)


def test_the_cnns_layers_cannot_be_widened():
    with pytest.raises(ValueError, match="expected an MLP, whose widths can be chosen"):
        changed(RECIPES["cnn/vanilla"], {"widths": (10,)})
