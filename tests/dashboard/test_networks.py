"""The page of networks, run without a browser: what is on the shelves, what is brought along and taken away again."""

import contextlib
import csv
import dataclasses
import io
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from streamlit.testing.v1 import AppTest

from satcore import background, checkpoints, data, evaluation, library, networks
from satcore.__main__ import main
from satcore.dashboard.networks import downloads, words
from satcore.dashboard.networks.run import Measuring
from satcore.dashboard.networks.upload import keep
from satcore.evaluation import reality
from satcore.networks import Block, Dense
from tests.dashboard.pages import button, damage, own_cnn, own_mlp
from tests.dashboard.pages import opened as opened_page

CNNS = [name for name in checkpoints.names() if name.startswith("cnn/")]


def opened(**parameters) -> AppTest:
    return opened_page("networks", first=True, **parameters)


def listed(page: AppTest) -> list[str]:
    """The networks that have a card."""
    assert not page.exception
    return [there.value.removeprefix("##### ") for there in page.markdown if there.value.startswith("##### ")]


def onnx_file(scale: float = 1.0) -> bytes:
    """A linear network as another framework would write it: which digit's mean image is nearest?"""
    images, labels = data.load("test")
    means = np.stack([images[labels == digit].mean(0).flatten().numpy() for digit in range(10)], axis=1)
    constants = {"w": scale * means, "b": -scale / 2 * (means**2).sum(0)}
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("Gemm", ["flat", "w", "b"], ["logits"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, 28, 28))],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, (1, 10))],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return onnx.ModelProto.SerializeToString(model)


def uploaded(page: AppTest, file: str, content: bytes) -> AppTest:
    return page.file_uploader[0].set_value((file, content, "application/octet-stream")).run()


def until_measured(page: AppTest) -> AppTest:
    for _ in range(30):
        if not page.session_state["measuring"].waiting:
            return page
        page.run()
    raise AssertionError("expected the measurement to end")


def test_every_network_of_both_shelves_has_a_card_with_what_is_known_of_it():
    names = [*checkpoints.names(), own_mlp(), own_cnn()]
    page = opened()
    assert sorted(listed(page)) == sorted(names) and not page.error
    said = "\n".join(there.value for there in (*page.markdown, *page.caption, *page.text))
    for name in names:
        card = library.describe(name)
        assert card.sha256[:12] in said and networks.described(card.architecture) in said
    assert "**96.24\N{NO-BREAK SPACE}%** | **95.49\N{NO-BREAK SPACE}%** | 5.6, 4.3, 4.8 |" in said
    assert {there.label for there in page.button} >= {"Measure it"}


def test_what_was_found_out_is_a_sentence_that_keeps_its_acronyms():
    found = reality.load("relu-mlp/vanilla")
    said = [text.value for text in opened(group="relu-mlp").markdown if text.value.startswith("Right under")]
    assert found and "FGSM as published" in said[0]
    assert said[0] == f"R{reality.verdict(found).removeprefix('r')}."


def test_a_card_leads_to_its_network_on_every_page():
    page = opened(shelf="ships", group="cnn")
    links = [(there.proto.page, there.proto.query_string) for there in page.get("page_link")]
    assert {page for page, _ in links} == {
        "",
        *["interpolation", "representations", "weights", "live_attack", "attack_grid", "reality_check"],
    }
    assert {query for _, query in links} == {f"networks=cnn%2F{name.split('/')[1]}" for name in CNNS}


def test_a_link_filters_by_shelf_and_group():
    own = own_mlp()
    assert listed(opened(shelf="your own")) == [own]
    assert listed(opened(group=words.NO_GROUP)) == [own]
    assert listed(opened(shelf="ships", group="cnn")) == CNNS
    assert listed(opened(shelf="your own", group="cnn")) == []
    assert len(listed(opened(shelf="../..", group="nobody's"))) == 1 + len(checkpoints.names())  # a garbled link


def test_what_is_uploaded_is_kept_measured_and_shown():
    page = uploaded(opened(), "My first.onnx", onnx_file())
    assert [said.value for said in page.success] == ["Kept as **mine/my-first**."] and not page.error
    until_measured(page)
    network = library.load("mine/my-first")
    expected = dataclasses.asdict(evaluation.measure(network, *data.load("test")))
    assert library.describe("mine/my-first").measurements == expected | {"kurtosis": list(expected["kurtosis"])}
    assert "ONNX file My first.onnx, uploaded" in "\n".join(there.value for there in page.text)
    again = uploaded(page, "my-first.onnx", onnx_file())
    assert [said.value for said in again.success] == ["This very network is there already, as **mine/my-first**."]
    assert listed(again).count("mine/my-first") == 1
    assert not again.button(key="delete mine/my-first").click().run().success  # it is gone, and nothing leads there


def test_another_network_of_one_name_gets_a_suffix():
    assert keep("net.onnx", onnx_file()).name == "mine/net"
    other = keep("net.onnx", onnx_file(2.0))
    assert other.name == "mine/net-2" and "nothing is overwritten" in other.said
    assert keep("数字.onnx", onnx_file(3.0)).name == "mine/network"


def test_a_file_keeps_its_letters_in_the_name_and_its_name_on_the_card():
    brought = keep("ünï(b)cödé & %22q%22.onnx", onnx_file())  # as browsers send a quotation mark
    assert brought.name == "mine/uni-b-code-q"
    assert library.describe(brought.name).origin == 'ONNX file ünï(b)cödé & "q".onnx, uploaded'


def test_a_name_of_ones_own_goes_before_that_of_the_file():
    page = opened()
    page.text_input[0].set_value("Mine, wide")
    uploaded(page, "net.onnx", onnx_file())
    assert [said.value for said in page.success] == ["Kept as **mine/mine-wide**."]
    assert page.text_input[0].value == ""
    page.text_input[0].set_value("…")
    uploaded(page, "net.onnx", onnx_file(2.0))
    assert [said.value for said in page.error] == ["expected a name with a letter or a digit, got '…'"]


@pytest.mark.parametrize("content", [b"", b"hello", onnx_file()[:-500]], ids=["empty", "text", "cut short"])
def test_what_is_no_network_is_refused_in_one_sentence(content):
    page = uploaded(opened(), "bad.onnx", content)
    assert not page.exception and not page.success
    (error,) = page.error
    assert error.value.startswith("expected") and "\n" not in error.value
    assert sorted(listed(page)) == sorted(checkpoints.names())


def test_where_nothing_can_be_written_an_upload_is_refused_in_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SATCORE_SHELF", str(tmp_path / "file"))
    refused = keep("net.onnx", onnx_file())
    assert refused.name == "" and "\n" not in refused.said


def test_a_network_left_unmeasured_is_measured_at_a_press():
    own = own_mlp()
    page = button(opened(), "Measure it").click().run()
    until_measured(page)
    assert library.describe(own).measurements["images"] == 10_000


def test_own_networks_are_taken_away_at_two_presses_and_others_never():
    own, kept = own_mlp(), own_cnn()
    page = opened()
    assert [there.key for there in page.button if there.label == "Delete it"] == [f"delete {kept}", f"delete {own}"]
    page.button(key=f"delete {own}").click().run()
    assert own not in listed(page) and kept in listed(page)
    assert own not in library.names()


def test_who_takes_away_what_another_session_took_gets_one_sentence():
    own = own_mlp()
    page = opened()
    delete = page.button(key=f"delete {own}")
    library.remove(own)
    delete.click().run()
    assert not page.exception and own not in listed(page)


WORKS = """
import sys, time
from satcore import background
with background.at_work(sys.argv[1]):
    print("begun", flush=True)
    time.sleep(100)
"""


@pytest.mark.parametrize("where", ["on the page", "on the command line"])
def test_whoever_examines_a_network_that_is_taken_away_is_stopped(where):
    own, other = own_mlp(), own_cnn()
    works = [
        subprocess.Popen([sys.executable, "-c", WORKS, reality.work(name)], stdout=subprocess.PIPE, text=True)
        for name in (own, other)
    ]
    try:
        assert [process.stdout and process.stdout.readline() for process in works] == ["begun\n"] * 2
        if where == "on the page":
            opened(shelf="your own").button(key=f"delete {own}").click().run()
        else:
            assert main(["remove", own]) == 0
        assert works[0].wait(10) != 0 and own not in library.names()
        assert works[1].poll() is None and background.report(reality.work(other))
    finally:
        for process in works:
            process.kill()
            process.communicate()


def test_a_damaged_card_is_one_sentence_and_can_be_taken_away():
    own = own_mlp()
    damage(own)
    page = opened()
    (error,) = page.error
    assert own in error.value and "\n" not in error.value
    assert sorted(listed(page)) == sorted(checkpoints.names())
    page.button(key=f"delete {own}").click().run()
    assert not page.error and own not in library.names()


def test_a_network_that_goes_while_it_is_measured_is_one_sentence():
    own, measuring = own_mlp(), Measuring()
    measuring.ask(own)
    measuring.advance(0)
    assert 0 < measuring.done < 1
    library.remove(own)
    library.add(networks.build((Block(Dense(784, 10)),)), "wide tanh")  # another one of its name
    for _ in range(20):
        if measuring.waiting:
            measuring.advance(10)
    assert not measuring.waiting and "another network" in measuring.refused[own]
    assert library.describe(own).measurements == {}
    measuring.ask("mine/nobody")
    measuring.advance(0)
    assert not measuring.waiting and "\n" not in measuring.refused["mine/nobody"]


def test_what_a_card_says_of_itself_is_no_markup():
    library.add(networks.build(networks.mlp("tanh", (4,))), "odd", group="odd", origin="![](http://elsewhere/x.png)")
    page = opened()
    assert any("http://elsewhere" in there.value for there in page.text)
    assert not any("http://elsewhere" in there.value for there in (*page.markdown, *page.caption))


def test_the_python_on_screen_runs():
    shown, (bring, describe) = library.names(), opened().code
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(bring.value, {})
        exec(describe.value, {})
    first, *others = out.getvalue().splitlines()
    assert first == "mine/my-network" and [line.split()[0] for line in others] == shown


def test_every_network_can_be_taken_away_as_a_row():
    cards = library.catalogue().cards
    (content,) = downloads.of_cards(cards.values()).data.values()
    rows = {row["network"]: row for row in csv.DictReader(io.StringIO(str(content())))}
    assert list(rows) == list(cards)
    for name, card in cards.items():
        assert rows[name]["sha256"] == card.sha256
        assert rows[name]["accuracy"] == str(card.measurements.get("accuracy", ""))
