"""The home page, run without a browser."""

import csv
import io
import shutil

import pytest
from streamlit.testing.v1 import AppTest

from satcore import attacks, data, library
from satcore.dashboard.home import compute, downloads, objected, words
from satcore.dashboard.shared import cache, controls, pictures
from satcore.dashboard.shared.style import COLOURS
from satcore.evaluation import reality
from satcore.paper import TABLE_1
from satcore.recipes import PAPER_TRAININGS
from tests.dashboard.pages import MLPS, ROOT, damage, own_cnn, own_mlp, told
from tests.dashboard.pages import opened as opened_page
from tests.examples import SHIPPED


def opened(**parameters) -> AppTest:
    return opened_page("home", first=True, **parameters)


def everything_said(page: AppTest) -> str:
    return "\n".join(element.value for element in (*page.markdown, *page.caption))


def cards(page: AppTest) -> list[str]:
    """What the cards are about, as their pictures tell."""
    captions = [image.proto.imgs[0].alt for image in page.get("image")]
    return [caption.split("After FGSM on the ")[1].split(" network")[0] for caption in captions if "FGSM" in caption]


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """An empty folder in place of the shelf that ships."""
    monkeypatch.setattr(library, "SHIPPED", tmp_path)
    return tmp_path


def test_opens_with_the_twelve_in_table_1_and_a_card_for_each_of_the_line_up():
    page = opened()
    assert not page.exception and not page.error
    assert cards(page) == [name.partition("/")[2] for name in MLPS]
    table = page.dataframe[0].value.set_index("network")
    assert list(table.index) == SHIPPED
    for name in SHIPPED:
        found = reality.load(name)
        assert table.loc[name, "FGSM, ours (%)"] == round(100 * library.describe(name).measurements["fgsm_accuracy"], 2)
        assert table.loc[name, "worst case of all attacks (%)"] == round(100 * found.left("worst case").share, 2)
        if name in TABLE_1:
            assert (table.loc[name, "clean, paper (%)"], table.loc[name, "FGSM, paper (%)"]) == TABLE_1[name]


def test_a_line_up_from_both_shelves_gets_its_cards_and_leaves_table_1_alone():
    names = ["relu-mlp/saturated", own_mlp(), own_cnn(), "cnn/vanilla"]
    page = opened(networks=names)
    assert not page.exception and not page.error
    assert cards(page) == names
    assert len(page.dataframe[0].value) == 12


def test_a_card_says_that_the_gradient_was_zero_exactly_where_it_was():
    page = opened(pick="by index", index="17")
    example = data.example("test", 17)
    zero = [bool(attacks.fgsm(library.load(name), *example).zero_gradient) for name in MLPS]
    assert everything_said(page).count("**exactly zero**: FGSM left the image as it was") == sum(zero)
    assert any(zero) and not all(zero)


def test_a_link_reproduces_the_screen():
    asked = {"pick": "least confident", "digit": "7", "judge": "cnn/control", "epsilon": "0.1"}
    page = opened(**asked, networks=["cnn/vanilla", "cnn/control"])
    assert not page.exception and not page.error
    chosen = data.choose(library.load("cnn/control"), "test", 7, "least confident")
    assert page.slider(key="epsilon").value == 0.1
    assert f"Test image {chosen:,}: a 7" in [image.proto.imgs[0].caption for image in page.get("image")]
    assert any(": an 8" in image.proto.imgs[0].caption for image in opened(digit="8").get("image"))


@pytest.mark.parametrize(
    "parameters",
    [
        {"digit": "11", "epsilon": "nan", "nonsense": "1"},
        {"pick": "the prettiest", "judge": "../../etc/passwd", "epsilon": "7"},
        {"pick": "by index", "index": "10000", "epsilon": "-1"},
        {"pick": "random", "seed": "99999999999999999999"},
    ],
    ids=str,
)
def test_a_garbled_link_is_never_a_traceback(parameters):
    page = opened(**parameters)
    assert not page.exception
    assert len(page.error) <= 1
    assert all("\n" not in error.value for error in page.error)


def test_without_attack_nothing_changes():
    page = opened(epsilon="0.0", pick="by index", index="3")
    assert not page.exception
    assert "Fooled" not in everything_said(page)


def test_says_how_to_train_where_there_are_no_networks(shipped):
    page = opened()
    assert not page.exception
    assert "python -m satcore train --all" in page.error[0].value


def test_own_networks_are_enough(shipped):
    page = opened(networks=own_mlp(), pick="by index")
    assert not page.exception and not page.error
    assert not page.dataframe and len(cards(page)) == 1


def test_some_of_the_networks_are_enough_and_a_damaged_card_is_one_sentence(shipped):
    shutil.copytree(ROOT / "checkpoints" / "relu-mlp", shipped / "relu-mlp")
    damage("relu-mlp/control")
    page = opened()
    assert not page.exception and not page.error
    (sentence,) = page.warning
    assert "damaged" in sentence.value and "relu-mlp/control" in sentence.value and "\n" not in sentence.value
    assert cards(page) == ["vanilla", "adversarial", "saturated"]
    assert "underflowed" not in everything_said(page)  # a claim about a network that isn't there


def test_damaged_weights_are_one_sentence_and_the_others_are_shown(shipped):
    shutil.copytree(ROOT / "checkpoints" / "relu-mlp", shipped / "relu-mlp")
    (shipped / "relu-mlp" / "control" / library.WEIGHTS).write_bytes(b"")
    cache.forget()  # where another test has left the whole network
    page = opened()
    assert not page.exception
    (error,) = page.error
    assert "damaged" in error.value and "\n" not in error.value
    assert len(page.dataframe) == 1 and cards(page) == ["vanilla", "adversarial", "saturated"]


def test_the_ways_to_choose_are_those_of_the_library():
    assert set(controls.WAYS) == {*data.WAYS, "by index"}


def test_the_figure_shows_what_is_right_only_for_want_of_a_gradient():
    families = told(opened(), "families")
    assert [family["title"] for family in families] == ["Sigmoid MLP", "ReLU MLP", "CNN"]
    for family, group in zip(families, ("sigmoid-mlp", "relu-mlp", "cnn"), strict=True):
        assert [row["training"] for row in family["rows"]] == list(PAPER_TRAININGS)
        for row in family["rows"]:
            name = f"{group}/{row['training']}"
            shares = library.describe(name).measurements
            drawn = [row[bar] for bar in ("clean", "right", "unmoved")]
            assert drawn == [100 * shares[share] for share in ("accuracy", "fgsm_accuracy", "right_unmoved")]
            assert tuple(row["paper"] or ()) == TABLE_1.get(name, ()) and row["colour"] == COLOURS[row["training"]]
            assert f"{row['right']:.2f} % right after FGSM" in row["says"]


def test_a_perturbation_is_drawn_orange_where_raised_blue_where_lowered_and_not_where_nothing_changed():
    before = data.load("test").images[0, 0].numpy()
    after = before.copy()
    after[0, 0], after[27, 27] = before[0, 0] + 0.25, before[27, 27] - 0.25
    change = pictures.attacked(before, after, "#ff0000")[:, 240 + pictures.GAP :]
    first, last = pictures.FRAME, pictures.FRAME + 28 * pictures.SCALE - 1
    assert tuple(change[first, first]) == (*pictures.RAISED, 255)
    assert tuple(change[last, last]) == (*pictures.LOWERED, 255)
    assert change[120, 120, 3] == 0
    assert tuple(change[0, 0]) == (255, 0, 0, 255)


def test_the_python_of_the_cards_computes_what_they_show(capsys):
    exec(downloads.fgsm_code(MLPS, 63, 0.25), {})
    for name, line in zip(MLPS, capsys.readouterr().out.splitlines(), strict=True):
        view = compute.fgsm_view(name, 63, 0.25)
        assert line == f"{name} {view.predicted_before} {view.predicted_after} {view.zero_gradient}"


@pytest.mark.slow
def test_the_python_of_table_1_measures_what_the_card_says(capsys):
    exec(downloads.table_1_code(MLPS[2:3]), {})
    name, *measured = capsys.readouterr().out.split()
    card = library.describe(name).measurements
    there = [card[figure] for figure in ("accuracy", "fgsm_accuracy", "zero_gradient")]
    assert [float(value) for value in measured] == pytest.approx(there, abs=2e-4)


@pytest.mark.parametrize("asked", ["margin, autograd", "margin, softened"])
def test_an_objection_shows_what_the_ladder_has_left(asked):
    pages = [opened(objection=said) for said in (asked, "none, exact")]
    titles = [told(page, "axis") for page in pages]
    assert asked.partition(", ")[0] in titles[0] and titles[1] == objected.AS_PUBLISHED
    objected_to, as_published = ([row for family in told(page, "families") for row in family["rows"]] for page in pages)
    assert len(objected_to) == 12  # softened is exact where nothing can be softened
    assert not any(row["unmoved"] for row in objected_to) and any(row["unmoved"] for row in as_published)
    for name, row in zip(MLPS, objected_to[:4], strict=True):
        there = reality.load(name)
        left = there and there.left(f"FGSM, {asked}")
        assert left and row["right"] == pytest.approx(100 * left.share)


def test_what_is_taken_away_under_an_objection_is_of_the_objection(capsys):
    measured = words.measured(library.catalogue())
    shown, _ = objected.shown(measured, ("margin", "softened"))
    away = downloads.of_objection(shown, ("margin", "softened"))
    rows = {row["network"]: row for row in csv.DictReader(io.StringIO(away.data["table-1-margin-softened.csv"]()))}
    assert list(rows) == list(shown) and rows["relu-mlp/vanilla"]["rung"] == "FGSM, margin, exact"
    exec(downloads.objection_code({MLPS[0]: rows[MLPS[0]]["rung"]}), {})
    said = capsys.readouterr().out.split(" ")
    assert float(said[-3]) == pytest.approx(float(rows[MLPS[0]]["right (%)"]) / 100, abs=2e-3)
    assert said[-1].strip() == rows[MLPS[0]]["images"]


def test_what_was_found_out_and_is_damaged_takes_nothing_else_away(own_shelf):
    place = library.place(MLPS[0], reality.FILE)
    place.parent.mkdir(parents=True)
    place.write_text("{")
    page = opened()
    assert not page.exception and not page.error and len(told(page, "families")) == 3


def test_an_objection_says_so_and_is_taken_back_at_a_press():
    page = opened(objection="margin, exact")
    assert [there.value for there in page.warning] == ["Not as published: by the margin, its gradient exact."]
    captions = [there.value for there in page.caption]
    assert words.OBJECTED in captions and words.TABLE_1 not in captions
    (press,) = [button for button in page.button if button.label == "As published"]
    page = press.click().run()
    assert not page.warning and words.TABLE_1 in [there.value for there in page.caption]
