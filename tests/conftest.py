"""What several test files share."""

import os

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # before torch is imported: two test processes, servers and browsers share two cores

import uuid
from pathlib import Path

import hypothesis
import pytest
import torch

from satcore.dashboard.shared.served import served
from satcore.networks import Network, mlp
from satcore.recipes import Phase, Recipe
from satcore.training import train

hypothesis.settings.register_profile("patient", deadline=None)  # a core may be shared by whoever else there is
hypothesis.settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Whatever takes a browser takes seconds."""
    for item in items:
        if "browser" in item.keywords:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def one_seed():
    """What a test draws is the same in every run."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shelves(tmp_path_factory) -> Path:
    """Where the tests' own shelves are."""
    return tmp_path_factory.mktemp("shelves")


@pytest.fixture(autouse=True)
def own_shelf(shelves, monkeypatch) -> Path:
    """An empty folder that is the user's own shelf, so that no test writes to that of the user who runs it."""
    folder = shelves / uuid.uuid4().hex
    folder.mkdir()
    monkeypatch.setenv("SATCORE_SHELF", str(folder))
    return folder


@pytest.fixture(scope="session")
def servers_shelf(tmp_path_factory):
    """The user's own shelf, as the server has it."""
    return tmp_path_factory.mktemp("server's shelf")


@pytest.fixture(scope="session")
def address(servers_shelf):
    """Where the dashboard is served, with an empty shelf of the user's own, for all that a process tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SATCORE_SHELF", str(servers_shelf))
        with served() as address:
            yield address


@pytest.fixture(scope="session")
def tiny() -> Network:
    """A ReLU MLP of 16 hidden units that gets nine digits in ten right. Don't write to it: all tests share it."""
    recipe = Recipe(
        "relu-mlp",
        "vanilla",
        architecture=mlp("relu", (16, 16)),
        complementary=("relu",) * 3,
        phases=(Phase(epochs=2, batch_size=600, learning_rate=1e-2),),
    )
    *_, last = train(recipe, "cpu", precision="float32")
    return last.network
