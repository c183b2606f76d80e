"""Which networks a page shows, from its address, from older ones, and from the page before."""

import os

import pytest

from satcore import library, networks
from satcore.dashboard.shared.style import COLOURS, styles
from satcore.recipes import PAPER_TRAININGS
from tests.dashboard.pages import MLPS, button, damage, opened, own_mlp

QUICK = {"pick": "by index"}  # nobody's confidence is asked for


def chosen(page) -> list[str]:
    assert not page.exception
    return page.multiselect(key="networks").value


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({}, MLPS),
        ({"networks": "nobody"}, MLPS),
        ({"networks": ["nobody", "cnn/vanilla"]}, ["cnn/vanilla"]),
        ({"networks": "cnn/vanilla,nobody,relu-mlp/control"}, ["cnn/vanilla", "relu-mlp/control"]),
        ({"networks": ["cnn/vanilla,cnn/control", "cnn/saturated"]}, ["cnn/vanilla", "cnn/control", "cnn/saturated"]),
        ({"networks": [*MLPS[::-1], "cnn/vanilla"]}, MLPS[::-1]),
        ({"networks": ",".join([*MLPS[::-1], "cnn/vanilla"])}, MLPS[::-1]),
        ({"family": "sigmoid-mlp"}, MLPS),
        ({"family": "relu-mlp"}, [name.replace("sigmoid", "relu") for name in MLPS]),
        ({"family": "nobody's"}, MLPS),
        ({"left": "cnn/vanilla", "right": "relu-mlp/control"}, ["cnn/vanilla", "relu-mlp/control"]),
        ({"left": "cnn/vanilla", "right": "cnn/vanilla"}, ["cnn/vanilla"]),
    ],
    ids=str,
)
def test_an_address_says_which_networks(asked, shown):
    page = opened("home", first=True, **QUICK, **asked)
    assert chosen(page) == shown and not page.error
    left = {} if shown == MLPS else {"networks": shown if len(shown) > 1 else shown[0]}
    assert page.query_params == QUICK | left
    assert chosen(opened("home", first=True, **page.query_params)) == shown  # a reload shows the same


def test_a_link_to_a_network_that_is_gone_says_so():
    page = opened("home", first=True, **QUICK, networks=["mine/gone", "cnn/vanilla"])
    assert [there.value for there in page.warning] == ["Not on this machine: `mine/gone`."]


def test_a_name_that_is_gone_is_shown_whole_as_far_as_one_can_be_long():
    longest, longer = f"mine/{'x' * 60}-9999", f"mine/{'y' * 100}"
    page = opened("home", first=True, **QUICK, networks=[longest, longer])
    assert [there.value for there in page.warning] == [f"Not on this machine: `{longest}`, `mine/{'y' * 64}…`."]


@pytest.mark.parametrize("asked", [[*MLPS, "cnn/vanilla"], ",".join([*MLPS, "cnn/vanilla"])], ids=["keys", "commas"])
def test_a_fifth_network_does_not_vanish_in_silence(asked):
    page = opened("home", first=True, **QUICK, networks=asked)
    assert chosen(page) == MLPS
    assert [there.value for there in page.warning] == ["At most four are shown; left out: `cnn/vanilla`."]
    gone = opened("home", first=True, **QUICK, networks=[f"mine/{letter}" for letter in "abcde"])
    assert [there.value for there in gone.warning] == [
        "Not on this machine: `mine/a`, `mine/b`, `mine/c`, `mine/d` and 1 more."
    ]


def test_none_at_all_is_one_sentence():
    page = opened("home", first=True, networks="")
    assert not page.exception
    (error,) = page.error
    assert "one to four networks" in error.value and not page.warning


@pytest.mark.parametrize("index", ["10000", "-1", "the last"])
def test_an_index_that_no_test_image_has_is_one_sentence(index):
    page = opened("live_attack", first=True, **QUICK, index=index)
    assert not page.exception and not page.error
    assert [there.value for there in page.warning] == [
        "No test image has the index asked for: they go from 0 to 9,999."
    ]
    for asked in ({"pick": "by index", "index": "9999"}, {"pick": "random", "index": "10000"}):
        assert not opened("live_attack", first=True, **asked).warning


def test_the_line_up_goes_along_to_the_next_page():
    own = own_mlp()
    page = opened("home", first=True, **QUICK, networks=[own, "relu-mlp/vanilla"])
    page.switch_page("pages/interpolation.py").run()
    assert chosen(page) == [own, "relu-mlp/vanilla"]
    assert page.query_params["networks"] == [own, "relu-mlp/vanilla"]
    button(page, "ReLU MLP").click().run()
    page.switch_page("pages/home.py").run()
    assert chosen(page) == [name.replace("sigmoid", "relu") for name in MLPS]


def test_what_is_taken_away_leaves_the_line_up():
    own = own_mlp()
    page = opened("home", first=True, **QUICK, networks=[own, "relu-mlp/vanilla"])
    library.remove(own)
    assert chosen(page.run()) == ["relu-mlp/vanilla"]
    assert chosen(page.switch_page("pages/interpolation.py").run()) == ["relu-mlp/vanilla"]


def test_where_all_of_it_is_taken_away_the_next_page_begins_anew():
    own = own_mlp()
    page = opened("home", first=True, **QUICK, networks=own)
    assert chosen(page) == [own]
    page.switch_page("pages/networks.py").run()
    library.remove(own)
    del page.query_params["networks"]  # as the browser does
    page.switch_page("pages/interpolation.py").run()
    assert chosen(page) == MLPS and not page.error
    own = own_mlp()
    page = opened("home", first=True, **QUICK, networks=own)
    library.remove(own)
    assert chosen(page.run()) == MLPS and not page.error


def test_a_judge_who_is_not_in_the_line_up_judges_no_longer():
    page = opened("home", first=True, judge="sigmoid-mlp/vanilla")
    assert page.selectbox(key="judge").value == "sigmoid-mlp/vanilla"
    button(page, "CNN").click().run()
    assert page.selectbox(key="judge").value == "cnn/saturated"
    assert "judge" not in page.query_params


def test_presets_are_the_papers_and_the_latest_of_ones_own():
    own = [library.add(networks.build(networks.mlp("tanh", (4,)), seed), f"net {9 - seed}") for seed in range(6)]
    for when, name in enumerate(own):
        os.utime(library.folder_of(name) / library.WEIGHTS, (when, when))
    damage(own[5])
    page = opened("home", first=True, **QUICK)
    assert chosen(button(page, "Your own").click().run()) == own[1:5]
    pairs = ["sigmoid-mlp/vanilla", "sigmoid-mlp/saturated", "relu-mlp/vanilla", "relu-mlp/saturated"]
    assert chosen(button(page, "vanilla | saturated").click().run()) == pairs


def test_every_network_of_a_line_up_can_be_told_from_the_others():
    own = [library.add(networks.build(networks.mlp("tanh", (4,)), seed), f"net {seed}") for seed in range(4)]
    for names in (MLPS, own, ["relu-mlp/vanilla", "cnn/vanilla", *own[:2]]):
        found = styles([library.describe(name) for name in names])
        assert list(found) == names
        assert len({(style.colour, style.dash) for style in found.values()}) == 4
        assert len({style.label for style in found.values()}) == 4
    found = styles(map(library.describe, MLPS))
    assert [style.colour for style in found.values()] == [COLOURS[training] for training in PAPER_TRAININGS]
