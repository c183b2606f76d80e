"""Every page hands out its figures: files that are there, and Python that runs."""

import ast
import importlib

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

from tests.dashboard.pages import MLPS, opened

VIEWS = [  # a page, a view of it, and how many figures stand on it
    ("home", {}, 2),
    ("interpolation", {"points": "51"}, 1),
    ("interpolation", {"view": "Plane", "grid": "50"}, 1),
    ("representations", {}, 2),
    ("representations", {"view": "One layer in full"}, 1),
    ("representations", {"view": "Two dimensions"}, 1),
    ("weights", {}, 1),
    ("weights", {"view": "Weights"}, 1),
    ("weights", {"view": "Pre-activations"}, 1),
    ("weights", {"view": "A linear mechanism"}, 1),
    ("live_attack", {}, 1),
    ("attack_grid", {}, 1),
    ("reality_check", {}, 8),
    ("claims", {}, 1),
    ("over_seeds", {}, 1),
    ("train", {}, 1),
    ("networks", {}, 1),
]


@pytest.fixture
def deltas(monkeypatch) -> list[ForwardMsg]:
    """What pages send from now on of what they draw."""
    sent: list[ForwardMsg] = []
    monkeypatch.setattr(
        ForwardMsgQueue, "_before_enqueue_msg", lambda message: sent.append(message) if message.HasField("delta") else 0
    )
    return sent


def nested(deltas: list[ForwardMsg]) -> list[tuple[int, ...]]:
    """Where one fragment draws in what another one has drawn: Streamlit may send the inner one's alone."""
    drew = {tuple(message.metadata.delta_path): message.delta.fragment_id for message in deltas}
    around = {path: {drew.get(path[:n], "") for n in range(1, len(path))} for path in drew}
    return [path for path, fragment in drew.items() if fragment and around[path] - {"", fragment}]


@pytest.mark.parametrize(("name", "view", "figures"), VIEWS)
def test_every_figure_has_its_menu(name, view, figures, deltas):
    page = opened(name, first=True, networks=MLPS[2:3], **view)
    assert deltas and not nested(deltas)
    assert not page.exception and not page.error
    menus = [there for there in page.get("popover") if there.proto.popover.label == "Take it away"]
    assert len(menus) == figures
    for menu in menus:
        (code,) = menu.code
        for node in ast.walk(ast.parse(code.value)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                for imported in node.names:
                    assert hasattr(module, imported.name) or importlib.import_module(f"satcore.{imported.name}")
