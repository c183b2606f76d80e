"""The page of seeds, run without a browser: on networks that are made up, and on those that ship."""

import csv
import dataclasses
import io
import itertools
import math
from statistics import median

import pytest
from streamlit.testing.v1 import AppTest

from satcore import library
from satcore.dashboard.over_seeds import compute, downloads, figures, words
from satcore.dashboard.over_seeds.compute import Spread
from satcore.dashboard.shared.style import COLOURS
from satcore.evaluation import seeds
from satcore.paper import TABLE_1
from satcore.recipes import RECIPES
from tests.dashboard import pages
from tests.trained import EPOCHS, FIGURES, keep, made_up

FAMILY = "relu-mlp"
SATURATED, CONTROL = f"{FAMILY}/saturated", f"{FAMILY}/control"
OWN = RECIPES[SATURATED].lambda_max
SEEDS = range(100, 104)  # of networks that don't ship


def opened(first: bool = True, **parameters) -> AppTest:
    return pages.opened("over_seeds", first, **parameters)


def panels(page: AppTest) -> dict[str, dict]:
    return {panel["title"]: panel for panel in pages.told(page, "panels")}


def dots(panel: dict) -> list[list[list]]:
    """The values of all dots, by column and lane, the last stage's."""
    return [[[dot["values"][-1] for dot in lane["dots"]] for lane in column["lanes"]] for column in panel["columns"]]


@pytest.fixture
def few(tmp_path, monkeypatch):
    """Nothing ships; one's own are four seeds of the saturated network, four of its control, one vanilla."""
    monkeypatch.setattr(seeds, "place", lambda ship=False: tmp_path / ("ships" if ship else "own"))
    keep(
        *(made_up(SATURATED, seed, fgsm_accuracy=0.96 + seed / 1e4) for seed in SEEDS),
        *(made_up(CONTROL, seed, fgsm_accuracy=0.93 + seed / 1e4) for seed in SEEDS),
        made_up(f"{FAMILY}/vanilla", 0, fgsm_accuracy=0.01),
    )


def test_it_opens_on_what_ships():
    page = opened(first=False)
    assert not page.exception and not page.error
    found, complaints = seeds.load()
    assert complaints == [] and len(panels(page)) == len(compute.DRAWN)
    family = compute.families(found)[0]
    there = compute.by_training(found, family, words.ALONE)
    assert page.markdown[0].value == words.headline(there, family)
    assert f"of {there['saturated'][0].figures['worst_images']} images are left" in words.worst(there)


def test_a_panel_shows_every_seed_of_every_training_and_the_papers_value(few):
    page = opened(family=FAMILY)
    assert not page.exception and not page.error
    fgsm = panels(page)["right after FGSM"]
    ((vanilla, saturated, control),) = dots(fgsm)
    assert vanilla == [1.0] and saturated == pytest.approx([97, 97.01, 97.02, 97.03])
    assert control == pytest.approx([94, 94.01, 94.02, 94.03])
    lanes = fgsm["columns"][0]["lanes"]
    assert [lane["paper"] for lane in lanes] == [0.41, TABLE_1[SATURATED][1], None]
    assert [lane["middle"] for lane in lanes[1:]] == [[pytest.approx(97.015)], [pytest.approx(94.015)]]
    assert lanes[1]["dots"][2]["says"] == "saturated, seed 102"
    assert "saturated 97 % in the median of 4 seeds" in fgsm["alt"].replace("\N{NO-BREAK SPACE}", " ")


def test_a_dendritic_network_stands_beside_the_papers_without_its_step(few):
    name = f"{FAMILY}/dendritic"
    keep(made_up(name, 0, within=[9.0, 1.0, 2.0, 0.5], between=[9.0, 3.0, 5.0, 2.0]))
    page = opened(family=FAMILY)
    assert not page.exception and not page.error
    there = panels(page)
    assert [lane["colour"] for lane in there["accuracy"]["columns"][0]["lanes"]][-1] == COLOURS["dendritic"]
    ratio = there["between / within classes"]
    assert [column["label"] for column in ratio["columns"]] == ["1", "2", "softmax"]
    assert [column[-1] for column in dots(ratio)] == [[3.0], [2.5], [4.0]]


def test_the_softmax_of_a_deeper_network_stands_above_the_softmax(few):
    there = {"vanilla": [made_up(f"{FAMILY}/vanilla", 0)], "saturated": [made_up(SATURATED, 0)]}
    deeper = FIGURES | {"kurtosis": [1.0] * 4, "within": [1.0] * 4, "between": [1.0, 2.0, 3.0, 4.0]}
    there["saturated"] = [dataclasses.replace(there["saturated"][0], figures=deeper)]
    assert compute.layers(there, compute.RATIO) == ["1", "2", "3", "softmax"]
    assert compute.spreads(there, compute.RATIO, "softmax")["saturated"].median == 4
    assert set(compute.spreads(there, compute.RATIO, "3")) == {"saturated"}


def test_layers_stand_side_by_side_and_what_has_no_value_no_dot(few):
    there = panels(opened(family=FAMILY))
    assert [column["label"] for column in there["excess kurtosis"]["columns"]] == ["1", "2", "3"]
    assert dots(there["excess kurtosis"])[1][1] == [None] * 4
    assert [column["label"] for column in there["between / within classes"]["columns"]] == ["1", "2", "softmax"]
    assert dots(there["between / within classes"])[0][1] == [2.0] * 4  # 2 / 1
    assert dots(there["between / within classes"])[2][1] == [None] * 4  # 0.2 / 0


def test_the_saturated_ones_and_the_control_can_be_had_alone(few):
    ((saturated, control),) = dots(panels(opened(family=FAMILY, alone="true"))["right after FGSM"])
    assert len(saturated) == len(control) == 4


def test_what_ships_is_ringed(few):
    keep(made_up(SATURATED, library.describe(SATURATED).seed))
    lanes = panels(opened(family=FAMILY))["accuracy"]["columns"][0]["lanes"]
    ringed = [[dot["says"] for dot in lane["dots"] if dot["ringed"]] for lane in lanes]
    assert ringed == [["vanilla, seed 0, ships"], ["saturated, seed 0, ships"], []]


def test_how_far_a_ringed_dot_is_off_its_card_is_said_where_it_is():
    there, card = made_up(SATURATED, library.describe(SATURATED).seed), library.describe(SATURATED).measurements
    shares = {figure: card[figure] for figure in compute.COUNTED}
    alike, off = (
        {"saturated": [dataclasses.replace(there, figures=there.figures | shares | {"fgsm_accuracy": fgsm})]}
        for fgsm in (card["fgsm_accuracy"], card["fgsm_accuracy"] - 12e-4)
    )
    assert "off its card" not in words.how(alike) and "up to 12 of the 10,000 images off its card" in words.how(off)
    assert "off its card" not in words.how({"saturated": [dataclasses.replace(there, seed=77)]})  # which doesn't ship
    assert "up to 12 of the 10,000 images off its card" in words.about_lambda({OWN: off["saturated"]})


def test_no_singular_value_takes_part_where_all_are_zero():
    assert compute.PARTICIPATION.values(FIGURES | {"participation": 0.0}) == [None]


@pytest.mark.parametrize(
    "saturated, control, says",
    [
        ([96, 97, 98, 99], [92, 93, 94, 95], "+4.0 points in the median: every saturated network is above every"),
        ([92, 93], [96, 97], "−4.0 points in the median: every saturated network is below every control. By"),
        ([92, 96], [94, 95], "−0.5 points in the median, and the two overlap"),
        ([92], [96, 97], "−4.5 points; of a single seed on either side, no spread is known"),
    ],
)
def test_the_sentence_says_what_the_seeds_can_tell(saturated, control, says):
    assert f"The penalty adds {says}" in words.compared(Spread.of(saturated), Spread.of(control))


def test_chance_is_counted():
    """Of all orders of 3 and 2 values, in how many do they not overlap?"""
    orders = list(itertools.permutations("aaabb"))
    apart = [order for order in orders if "".join(order) in ("aaabb", "bbaaa")]
    assert compute.chance(3, 2) == pytest.approx(len(apart) / len(orders))
    said = words.compared(Spread.of([5, 6, 7, 8]), Spread.of([1, 2, 3, 4]))
    assert "the two would lie apart, whichever is above, once in 35 times." in said


def test_one_seed_is_said_to_be_one(few, monkeypatch):
    there = compute.by_training([made_up(SATURATED, 1)], FAMILY, words.ALONE)
    assert "(one seed)" in words.headline(there, FAMILY) and "nothing to compare" in words.headline(there, FAMILY)
    assert "no network with the saturated recipe" in words.headline({}, FAMILY)


# Against λ.


@pytest.fixture
def penalised(few):
    keep(
        *(
            made_up(SATURATED, 100, {"lambda_max": OWN * factor}, fgsm_withstood=0.5 + factor / 1e3)
            for factor in (0.1, 30)
        )
    )


def test_columns_are_lambdas_with_the_control_at_the_left(penalised):
    page = opened(family=FAMILY, view="Penalty")
    assert not page.exception and not page.error
    there = panels(page)["right before and after FGSM"]
    assert [column["label"] for column in there["columns"]] == ["0", "0.1", "1", "30"]
    assert dots(there) == [[[pytest.approx(89)] * 4], [[pytest.approx(50.01)]], [[pytest.approx(89)] * 4], [[53.0]]]


def test_the_slider_stops_where_the_trainings_are_on_record_and_at_the_end(penalised):
    page = opened(family=FAMILY, view="Penalty")
    assert [stop["name"] for stop in pages.told(page, "stops")] == ["1", "10", ""]
    there = panels(page)
    (control, *_) = there["right before and after FGSM"]["columns"]
    assert control["lanes"][0]["dots"][0]["values"] == pytest.approx([0.1, 1.0, 89.0])
    assert control["lanes"][0]["middle"] == pytest.approx([0.1, 1.0, 89.0])
    (worst, *_) = there["worst case"]["columns"]
    assert worst["lanes"][0]["dots"][0]["values"] == [None, None, 40.0] and worst["lanes"][0]["middle"][0] is None


def test_the_sentence_says_what_the_penalty_adds(penalised):
    found, _ = seeds.load()
    there = compute.by_lambda(found, FAMILY)
    said = words.penalty_at(there, FAMILY, None).replace("\N{NO-BREAK SPACE}", " ")
    assert "without the penalty **89.0 % (4 seeds)**; with the recipe's λ **89.0 % (4 seeds)**, **0.0 points**" in said
    del there[compute.lambda_of(RECIPES[SATURATED])]
    said = words.penalty_at(there, FAMILY, None).replace("\N{NO-BREAK SPACE}", " ")
    assert "with the best λ here, 30 times the recipe's **53.0 % (1 seed)**, **−36.0 points**" in said
    assert "Nothing to compare" in words.penalty_at({0.0: there[0.0]}, FAMILY, None)
    assert "Nothing to compare" in words.penalty_at(there, FAMILY, 7)  # an epoch that isn't on record


def test_half_of_the_images_is_first_reached_by_the_median():
    def trained(seed: int, *shares: float) -> seeds.Trained:
        stages = tuple(seeds.Stage(epoch, 0.0, 1.0, share, 0.0, 0.0) for epoch, share in enumerate(shares, start=1))
        return seeds.Trained(**(vars(made_up(SATURATED, seed)) | {"history": stages}))

    some = [trained(1, 0.1, 0.6, 0.7, 1.0), trained(2, 0.1, 0.3, 0.8, 1.0), trained(3, 0.1, 0.2, 0.5, 1.0)]
    assert (compute.half(some), compute.half(some[:1]), compute.half([trained(4, 0.1, 0.9)])) == (3, 2, None)


def test_other_settings_are_not_a_penalty(few):
    keep(made_up(SATURATED, 5, {"learning_rate": 1e-3}))
    found, _ = seeds.load()
    everyone = [trained.seed for some in compute.by_lambda(found, FAMILY).values() for trained in some]
    assert sorted(everyone) == sorted([*SEEDS, *SEEDS])


def test_without_records_there_is_no_slider(tmp_path, monkeypatch):
    monkeypatch.setattr(seeds, "place", lambda ship=False: tmp_path / ("ships" if ship else "own"))
    keep(seeds.Trained(**(vars(made_up(SATURATED, 1)) | {"history": ()})))
    page = opened(family=FAMILY, view="Penalty")
    assert not page.exception and not page.error and len(pages.told(page, "stops")) == 1
    assert "Nothing to compare" in page.markdown[0].value


# What can go wrong.


def test_nothing_on_record_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(seeds, "place", lambda ship=False: tmp_path / "nothing")
    page = opened()
    assert not page.exception and "python -m satcore sweep" in page.error[0].value


def test_a_damaged_line_is_one_sentence_and_the_rest_is_shown(few):
    with open(seeds.place(), "a", encoding="utf-8") as file:
        file.write("{\n")
    page = opened(family=FAMILY)
    assert not page.exception and len(page.error) == 1 and "in line 10 (" in page.error[0].value
    assert len(panels(page)) == len(compute.DRAWN)


def test_garbage_in_the_address_is_no_catastrophe(few):
    page = opened(family="nobody", view="λ", alone="perhaps", epoch="-1")
    assert not page.exception and not page.error and len(panels(page)) == len(compute.DRAWN)


def test_a_family_with_other_settings_alone_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(seeds, "place", lambda ship=False: tmp_path / ("ships" if ship else "own"))
    keep(made_up(SATURATED, 5, {"learning_rate": 1e-3}))
    for view in words.VIEWS:
        page = opened(family=FAMILY, view=view)
        assert not page.exception and not page.error and FAMILY in page.info[0].value


# What can be taken away.


def test_tables_are_medians_and_ranges(penalised):
    found, _ = seeds.load()
    there = compute.by_training(found, FAMILY, words.ALONE)
    table = words.table(there, FAMILY).set_index(["figure", "training"])
    values = [100 * trained.figures["fgsm_accuracy"] for trained in there["saturated"]]
    row = table.loc["right after FGSM", "saturated"]
    assert row["seeds"] == 4 and row["paper"] == TABLE_1[SATURATED][1]
    assert (row["median"], row["least"], row["greatest"]) == pytest.approx(
        (median(values), min(values), max(values)), abs=0.01
    )
    assert ("excess kurtosis, layer 2", "saturated") not in table.index  # there it has none
    by_lambda = words.table_of_lambda(compute.by_lambda(found, FAMILY), FAMILY)
    assert list(by_lambda["times the recipe's"]) == [0.0, 0.1, 1.0, 30.0]
    assert list(by_lambda["right before and after FGSM (%)"]) == [89.0, 50.01, 89.0, 53.0]


def test_every_figure_can_be_taken_away(penalised):
    found, _ = seeds.load()
    rows = list(csv.DictReader(io.StringIO(downloads.csv_of_figures(found))))
    lists = sum(len(value) - 1 for value in found[0].figures.values() if isinstance(value, list))
    assert len(rows) == len(found) * (len(found[0].figures) + lists)
    row = next(row for row in rows if row["figure"] == "kurtosis" and row["layer"] == "3")
    assert (float(row["value"]), row["seed"], row["ships"], row["training"]) == (-1.0, "100", "False", "saturated")
    stages = list(csv.DictReader(io.StringIO(downloads.csv_of_stages(found))))
    assert [int(row["epoch"]) for row in stages[: len(EPOCHS)]] == list(EPOCHS)
    assert math.isclose(float(stages[-1]["lambda_max"]), 30 * OWN)


def test_the_python_that_is_offered_runs(penalised, capsys, monkeypatch):
    monkeypatch.setattr(seeds, "measured", lambda network: {"accuracy": network.convolves})
    exec(downloads.CODE, {})
    assert capsys.readouterr().out.count("\n") == len(seeds.load()[0]) + 1


def test_panels_have_words_for_whoever_cannot_see_them(penalised):
    found, _ = seeds.load()
    against, _ = figures.against_lambda(compute.by_lambda(found, FAMILY), FAMILY)
    assert "λ 0: 89" in against[0].alt.replace("\N{NO-BREAK SPACE}", " ") and "λ 3.99·10⁻⁸" in against[0].alt
