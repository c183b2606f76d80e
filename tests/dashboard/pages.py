"""Pages run without a browser, and networks of the user's own to show on them."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from streamlit.testing.v1 import AppTest

from satcore import data, library, networks
from satcore.networks import Block, Convolution, Dense
from satcore.recipes import STEP

ROOT = Path(__file__).parent.parent.parent
FAMILY = ("vanilla", "adversarial", "saturated", "control")
MLPS = [f"sigmoid-mlp/{training}" for training in FAMILY]


def opened(page: str, first: bool = False, **parameters: str | list[str]) -> AppTest:
    """The page at an address with these parameters; where it isn't the session's `first`, it is reached from home."""
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    for name, value in parameters.items():
        test.query_params[name] = value
    if not first:
        test.run()
    return test.switch_page(f"pages/{page}.py").run()


def told(page: AppTest, field: str) -> Any:
    """What the component with this field was told."""
    every = [json.loads(view.proto.json) for view in page.get("bidi_component")]
    return next(data[field] for data in every if field in data)


def numbers(base64_text: str) -> np.ndarray:
    """The numbers that a component was told in base64."""
    return np.frombuffer(base64.b64decode(base64_text), "<f4")


def button(page: AppTest, label: str):
    """The button with this in its label."""
    return next(there for there in page.button if label in there.label)


def own_mlp() -> str:
    """The name of a small untrained tanh MLP on the user's shelf."""
    return library.add(networks.build(networks.mlp("tanh", (16, 16))), "wide tanh")


def own_cnn() -> str:
    """The name of a small untrained tanh CNN with a stride on the user's shelf."""
    blocks = (Block(Convolution(1, 4, (4, 4), (2, 2), (1, 1, 1, 1)), "tanh"), Block(Dense(784, 10)))
    return library.add(networks.build(blocks), "strided tanh cnn")


def own_dendritic() -> str:
    """The name of a network on the user's shelf that steps pixel by pixel, and sums once, by least squares."""
    images, labels = (part[:3_000] for part in data.load("train"))
    stepped = (images > 0.5).flatten(1).float()
    wanted, regular = 10 * torch.nn.functional.one_hot(labels).float(), 30 * torch.eye(784)
    network = networks.build((STEP, Block(Dense(784, 10))), for_bounds=True)
    network.weights[0].data = torch.linalg.solve(stepped.T @ stepped + regular, stepped.T @ wanted).T.contiguous()
    return library.add(network, "dendritic", group="relu-mlp", training="dendritic")


def damage(name: str) -> None:
    """Make the card of the network `name` one that can't be read."""
    (library.folder_of(name) / library.CARD).write_text("{")
