"""The reality check page, run without a browser."""

import csv
import dataclasses
import io
import math

import pytest
from streamlit.testing.v1 import AppTest

from satcore import library
from satcore.dashboard.reality_check import compute, downloads, figures, ladder_view, truths, words
from satcore.dashboard.reality_check.compute import layers
from satcore.dashboard.reality_check.run import CellRun
from satcore.dashboard.shared import digits
from satcore.dashboard.shared.style import COLOURS, styles
from satcore.evaluation import certificates, reality
from satcore.evaluation.attack_checks import MEANINGS, Check
from satcore.evaluation.reality import EPSILON, Decided, Reality
from satcore.evaluation.rungs import PUBLISHED
from satcore.paper import TABLE_1
from satcore.recipes import PAPER_TRAININGS
from tests.dashboard import pages
from tests.dashboard.pages import button
from tests.examples import SHIPPED

SATURATED = "sigmoid-mlp/saturated"


def opened(first: bool = True, **parameters) -> AppTest:
    return pages.opened("reality_check", first, **parameters)


@pytest.fixture(scope="module")
def found() -> dict[str, Reality]:
    return {name: there for name in SHIPPED if (there := reality.load(name))}


def test_it_opens_with_every_network_and_every_rung(found):
    page = opened(first=False)
    assert not page.exception and not page.error
    rows = [row for row in pages.told(page, "rows") if row["label"] in PAPER_TRAININGS]
    assert [row["name"] for row in rows] == SHIPPED
    assert [row["heading"] for row in rows[::4]] == ["Sigmoid MLP, n = 500", "ReLU MLP, n = 500", "CNN, n = 100"]
    for row in rows:
        for rung, cell in zip(ladder_view.COLUMNS, row["cells"], strict=True):
            if rung == "paper":
                assert (cell and cell["percent"]) == TABLE_1.get(row["name"], (None, None))[1]
            elif rung not in found[row["name"]].right and rung != "clean":
                assert cell is None and ("transfer" in rung or "margin, softened" in rung)
            else:
                left = found[row["name"]].left(rung)
                assert left is not None and cell["percent"] == 100 * left.share
                assert f"{left.count} of {left.total} random test images right" in cell["says"]
                assert f"{100 * left.interval[1]:.1f} %" in cell["says"]


def test_the_first_sentence_is_what_the_figure_says_and_of_how_many_images(found):
    cards = {name: library.describe(name) for name in found}
    said = words.headline(found, cards, TABLE_1)
    for name in (SATURATED, "relu-mlp/saturated", "cnn/saturated"):
        left = found[name].left(PUBLISHED)
        assert left is not None and f"{TABLE_1[name][1]:.1f}" in said and f"{100 * left.share:.1f}" in said
    assert "of 500, 500 and 100 random test images" in said and "from cross-entropy to margin" in said
    paper = [there for name, there in found.items() if cards[name].training in PAPER_TRAININGS]
    some = any(share.share > 0 for there in paper if (share := there.left("worst case")))
    assert ("no network gets more than" in said) == some
    assert ("none of the paper's networks gets a single image right" in said) != some
    said, measured = words.beside_table_1(found, cards), cards[SATURATED].measurements
    here = found[SATURATED].left(PUBLISHED)
    assert here is not None and measured["fgsm_withstood"] < measured["fgsm_accuracy"]
    for share in (measured["fgsm_accuracy"], measured["fgsm_withstood"], here.share):
        assert f"{100 * share:.1f} %" in said


def test_the_dendritic_networks_have_a_sentence_of_their_own(found):
    there = {SATURATED: found[SATURATED], "a": found["relu-mlp/saturated"], "b": found["relu-mlp/vanilla"]}
    cards = {name: library.describe(name if "/" in name else SATURATED) for name in there}
    without = words.headline({SATURATED: there[SATURATED]}, cards, TABLE_1)
    assert "dendritic" not in without and words.about_dendritic(cards) == ""
    at = there["a"].epsilons.index(EPSILON)
    for name, left, proven in (("a", 480, 470), ("b", 465, 460)):
        right = there[name].right | {"worst case": [left] * len(there[name].epsilons)}
        shares = [*there[name].proven[:at], proven, *there[name].proven[at + 1 :]]
        there[name] = dataclasses.replace(there[name], right=right, proven=shares)
        cards[name] = dataclasses.replace(cards[name], training="dendritic")
    said = words.headline(there, cards, TABLE_1)
    assert said == without + (
        " The dendritic ones have no gradient either, and keep **96.0 and 93.0 %**; proven are 94.0 and 92.0 %."
    )
    assert words.about_dendritic(cards).startswith("*Dendritic*")


def test_a_link_reproduces_the_screen(found):
    page = opened(
        within="0.1",
        networks=["cnn/control", "cnn/vanilla"],
        rungs="noise",
        softness="100",
        cell_network="cnn/control",
        cell_rung="noise",
        images="50",
    )
    assert not page.exception and not page.error
    left = found["sigmoid-mlp/vanilla"].left("worst case", 0.1)
    assert left is not None and pages.told(page, "rows")[0]["cells"][-1]["percent"] == 100 * left.share
    assert [pills.value for pills in page.get("button_group") if pills.key == "rungs"] == [["noise"]]
    assert page.selectbox(key="cell_network").value == "cnn/control"
    assert page.selectbox(key="cell_rung").value == "noise" and page.select_slider(key="images").value == 50
    assert page.select_slider(key="softness").value == 100
    assert len(pages.told(page, "checks")[0]["verdicts"]) == 2


def test_a_figure_is_computed_on_as_many_images_as_the_table_unless_asked_otherwise():
    page = opened(cell_network="cnn/vanilla", cell_rung="transfer")  # a rung that it doesn't have
    assert not page.exception and not page.error
    rungs = page.selectbox(key="cell_rung")
    assert "transfer" not in rungs.options and rungs.value == "worst case"
    assert page.select_slider(key="images").value == 100
    page = page.selectbox(key="cell_network").set_value("relu-mlp/control").run()
    assert page.select_slider(key="images").value == 500


def test_garbage_in_the_address_is_no_catastrophe():
    garbled = {"within": "9", "family": "nobody", "rungs": "all", "softness": "-1", "cell_rung": "?", "images": "none"}
    page = opened(cell_network="", **garbled)
    assert not page.exception and not page.error


def test_every_check_of_an_old_links_family_is_shown_and_says_what_it_tolerates(found):
    checks = pages.told(opened(family="relu-mlp"), "checks")
    assert [check["name"] for check in checks] == list(MEANINGS)
    for check in checks:
        for verdict in filter(None, check["verdicts"]):
            made = next(made for made in found[verdict["name"]].checks if made.name == check["name"])
            assert verdict["name"] == f"relu-mlp/{verdict['label']}" and verdict["passed"] == made.passed
    assert "1 percentage point" in next(check["meaning"] for check in checks if "more steps" in check["name"])


def test_gradients_of_zero_are_called_so():
    page = opened(pick="by index", index="17", networks=[SATURATED])
    assert any("autograd **exactly zero**" in text.value and "exact **10⁻" in text.value for text in page.markdown)


def test_of_networks_nothing_is_known_of_it_says_how_to_find_it_out_and_shows_the_others(found):
    own, other = pages.own_mlp(), pages.own_cnn()
    page = opened(networks=[own, "cnn/saturated", other, SATURATED], pick="by index")
    assert not page.exception and not page.error
    assert [info.value for info in page.info] == [words.not_found_out(own), words.not_found_out(other)]
    assert f"`python -m satcore reality {own}`" in page.info[0].value
    verdicts = pages.told(page, "checks")[0]["verdicts"]
    assert [verdict["label"] for verdict in verdicts] == ["cnn/saturated", SATURATED]
    cards = [text.value for text in page.markdown if text.value in (f"**{own}**", f"**{other}**")]
    assert len(cards) == 2  # their gradients are shown all the same
    alone = opened(networks=[own])  # untrained: it gets every 3 wrong, and none can be chosen in its eyes
    assert not alone.exception and not alone.error
    assert f"{own} gets no 3 right: this one is drawn at random." in [info.value for info in alone.info]
    assert {row["name"] for row in pages.told(alone, "rows")} >= found.keys()
    assert any(there.label == "reality.csv" for there in alone.get("download_button"))


def test_what_is_known_of_ones_own_stands_in_the_table_and_a_damaged_file_is_a_sentence(found):
    own, other = pages.own_mlp(), pages.own_cnn()
    reality.save(own, found["relu-mlp/vanilla"])
    (library.folder_of(other) / reality.FILE).write_text("{")
    page = opened(networks=[own, "cnn/vanilla"], pick="by index")
    assert not page.exception and [other in error.value for error in page.error] == [True]
    rows = pages.told(page, "rows")
    assert (rows[-1]["name"], rows[-1]["label"], rows[-1]["heading"]) == (own, own, "Your own, n = 500")
    assert len(pages.told(page, "checks")[0]["verdicts"]) == 2


def test_a_damaged_card_leaves_the_page_whole():
    pages.damage(pages.own_mlp())
    page = opened(networks=["mine/wide-tanh", SATURATED])
    assert not page.exception and len(pages.told(page, "checks")[0]["verdicts"]) == 1


def test_layers_of_networks_of_any_depth_share_their_rows(found):
    there = {name: found[name] for name in (SATURATED, "cnn/saturated")}
    deep = layers(there.values())
    assert deep == ["image", "layer 1", "layer 2", "layer 3", "logits"]
    looks = styles(library.describe(name) for name in there)
    assert [note.text for note in figures.dying(there, looks).layout.annotations[:5]] == [
        f"<b>{layer}</b>" for layer in reversed(deep)
    ]
    table = words.dying(there, deep)
    assert table["layer 3"][0] == "" and table["layer 3"][1] and table["logits"][0]


def test_the_band_lies_between_what_is_proven_and_what_no_attack_breaks(found):
    name = "relu-mlp/saturated"
    there = dataclasses.replace(found[name], decided=[Decided(0.01, 50, 2.0, 40, 3), Decided(0.02, 50, 2.0, 30, 20)])
    figure = figures.between_attack_and_proof(there, styles([library.describe(name)])[name])
    drawn = [trace for trace in figure.data if trace.showlegend is not False]
    assert [trace.name for trace in drawn] == [
        "not broken by any attack (500 images)",
        "proven (500 images)",
        "one by one (50 images, 2 s each)",
    ]
    for trace, counts in zip(drawn, (there.right["worst case"], there.proven), strict=False):
        assert [x**2 for x in trace.x] == pytest.approx([0, *there.epsilons])
        assert list(trace.y) == pytest.approx([count / 5 for count in (there.clean, *counts)])
        assert trace.line.color == COLOURS["saturated"]
    assert [trace.line.shape for trace in drawn[:2]] == ["hv", "vh"]  # nothing is said of an ε that wasn't tried
    light, full = (trace for trace in figure.data if trace.fill == "toself")
    assert max(full.y) == max(light.y) == pytest.approx(there.clean / 5)
    within = [y for x, y in zip(full.x, full.y, strict=True) if 0 < x**2 < 0.02]
    assert max(within) == pytest.approx(there.proven[0] / 5)  # as is proven at the least ε, and below it no more
    ends = [tuple(trace.y) for trace in figure.data if trace.name and trace.name.startswith("one by one")]
    assert ends == [(80, 94), (60, 60)]


def test_shares_that_are_decided_one_by_one_keep_their_halves_of_a_percent(found):
    name = "relu-mlp/saturated"
    there = dataclasses.replace(found[name], decided=[Decided(0.01, 200, 10.0, 191, 9)])
    said = words.verdicts({name: there}, styles([library.describe(name)]))
    assert "ε = 0.01 95.5\N{NO-BREAK SPACE}% proven, 4.5\N{NO-BREAK SPACE}% broken" in said


def test_where_no_proof_was_tried_the_band_says_so(found):
    style = styles([library.describe("cnn/saturated")])["cnn/saturated"]
    there = dataclasses.replace(
        found["cnn/saturated"], decided=[], proven=[None] * len(found["cnn/saturated"].epsilons)
    )
    figure = figures.between_attack_and_proof(there, style)
    said = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert said == ["not broken by any attack (100 images)", "proofs: not tried", "one by one: not tried"]


def test_every_network_of_the_line_up_has_its_band(found):
    page = opened(networks=["cnn/vanilla", "relu-mlp/control", SATURATED])
    drawn = [chart for chart in page.get("plotly_chart") if "between" in chart.proto.id]
    assert len(drawn) == 3 and all("no attack breaks" in chart.proto.alt for chart in drawn)


def test_a_cell_pressed_is_computed_and_agrees_with_the_table(found):
    run = CellRun(SATURATED, PUBLISHED, 500, 0.25)
    assert run.done == 0 and "begun" in words.computed(run)
    while run.running:
        run.advance(60)
    left = found[SATURATED].left(PUBLISHED)
    assert run.reached and left and abs(run.reached.count - left.count) <= 1  # by rounding
    assert "of 500 images right" in words.computed(run) and words.computed(run).endswith("in all")


def test_a_stopped_run_says_so():
    run = CellRun("relu-mlp/control", "noise", 10_000, 0.1)
    run.advance(0)
    run.running = False
    assert 0 < run.done < 1 and words.computed(run).endswith("stopped there")


def test_a_network_that_breaks_is_one_readable_line(monkeypatch):
    page = opened(cell_rung="noise", images="50")
    with monkeypatch.context() as patch:
        patch.setattr(digits, "network", lambda name: library.load("nobody"))
        page = button(page, "Compute").click().run()
        assert not page.exception and len(page.error) >= 1
    (error,) = page.run().error  # it stays, the rest of the page is there, and another one can be begun
    assert "nobody" in error.value and "Why" in [there.value for there in page.header]
    assert not button(page, "Compute").disabled


def test_without_what_was_found_the_page_says_what_to_do(monkeypatch):
    monkeypatch.setattr(reality, "load", lambda name: None)
    page = opened()
    assert not page.exception
    assert len(page.error) == 1 and "python -m satcore reality" in page.error[0].value


def test_the_csv_has_every_figure(found):
    rows = list(csv.DictReader(io.StringIO(downloads.csv_of_reality(found))))
    wanted = ("relu-mlp/saturated", "PGD, margin, exact", "0.25")
    one = next(row for row in rows if (row["network"], row["attack"], row["epsilon"]) == wanted)
    left = found["relu-mlp/saturated"].left("PGD, margin, exact")
    assert left is not None and int(one["right"]) == left.count and float(one["low"]) == left.interval[0]
    assert {row["attack"] for row in rows} == {
        "clean",
        "proven",
        "decided: proven",
        "decided: not broken",
        *found["sigmoid-mlp/control"].right,
    }
    assert len(rows) == sum(
        1
        + len(there.epsilons) * len(there.right)
        + sum(count is not None for count in there.proven)
        + 2 * len(there.decided)
        for there in found.values()
    )


def test_the_csv_of_gradients_and_that_of_the_checks_have_what_their_figures_show(found):
    offered = {there.key: there.label for there in opened().get("download_button")}
    assert offered["download dying gradients.csv"] and offered["download checks checks.csv"]
    there = found[SATURATED]
    rows = list(csv.DictReader(io.StringIO(downloads.csv_of_gradients({SATURATED: there}))))
    for layer in there.dying:
        counted = [row for row in rows if row["layer"] == layer.layer]
        assert sum(int(row["images"]) for row in counted) + layer.zero == there.images
        assert {float(row["zero in float32"]) for row in counted} == {layer.zero_single}
        at = {float(row["log10 of the norm from"]): int(row["images"]) for row in counted}
        assert at == dict(zip((-math.inf, *reality.EDGES[:-1]), (layer.below, *layer.counts), strict=True))
    rows = csv.DictReader(io.StringIO(downloads.csv_of_checks({SATURATED: there})))
    assert [(row["check"], row["passed"] == "True", row["figure"], float(row["value"])) for row in rows] == [
        (check.name, check.passed, *figure) for check in there.checks for figure in check.figures.items()
    ]


def test_the_temperature_of_the_ladder_is_told_from_the_one_chosen(found):
    name, rung = "sigmoid-mlp/control", "PGD, cross-entropy, softened"
    there = found[name]
    at, left = there.temperatures[rung][there.epsilons.index(EPSILON)], there.left(rung)
    cell = next(row for row in pages.told(opened(), "rows") if row["name"] == name)["cells"][
        list(ladder_view.COLUMNS).index(rung)
    ]
    assert left and f"after {rung} at T = {at:g}: {left.count} of" in cell["says"]
    said = words.softened({name: there}, styles([library.describe(name)]), "cross-entropy", 30.0)
    assert (
        f"In the ladder, where T was chosen on training images: control {100 * left.share:.1f} % at T = {at:g}." in said
    )


def test_what_a_file_says_is_not_taken_for_html(found):
    hostile = Check("noise is weaker", True, {"<img src=x>": 0.5})
    there = dataclasses.replace(found[SATURATED], checks=[hostile])
    own = pages.own_mlp()
    reality.save(own, there)
    checks = pages.told(opened(networks=[own], pick="by index"), "checks")
    verdict = next(check["verdicts"][0] for check in checks if check["name"] == "noise is weaker")
    assert "<" not in verdict["figures"]


def test_the_python_of_the_gradients_takes_those_on_the_cards(capsys):
    exec(downloads.gradients_code([SATURATED], 63, "cross-entropy", 30.0), {})
    taken = compute.gradients(SATURATED, 63, "cross-entropy", 30.0)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        [SATURATED, way, str(view.log10_norm)] for way, view in taken.items()
    ]


def test_the_python_of_the_opposites_finds_symptom_and_truth(capsys):
    looks = truths.pair([SATURATED])
    assert looks
    index = truths.index_of(looks, 3, 1)
    exec(downloads.symptoms_code([*looks, "cnn/saturated"], index, 0.25), {})
    said = capsys.readouterr().out.splitlines()
    assert said[:4:2] == [f"{name} FGSM moves it by 0.0 gradient zero: True" for name in looks]
    assert said[3] == f"{looks[1]} {truths.truth(looks[1], index, 0.25).verdict}"  # exact, whatever time it takes
    assert said[5] == "cnn/saturated proven by intervals: False"


def test_the_python_of_the_certificate_proves_and_breaks_as_many(capsys):
    name = "sigmoid-mlp/dendritic"
    exec(downloads.certificates_code(name), {})
    expected = []
    for known in sorted(certificates.load(name), key=lambda known: known.epsilon):
        if known.epsilon in (0.1, 0.25):
            proven, broken = (sum(map(known.verdicts[:100].count, letters)) for letters in ("ip", "wb"))
            expected.append(f"{known.epsilon} {proven} proven, {broken} broken of 100")
    assert capsys.readouterr().out.splitlines() == expected


@pytest.mark.slow
def test_the_python_that_is_offered_runs(monkeypatch):
    monkeypatch.setattr(reality, "plan", lambda network: reality.Plan(3, (reality.EPSILON,), 2, 0.5, (0.01,)))
    exec(downloads.reality_code({"relu-mlp/saturated": [0.05]}), {})
