"""What the server does before the first page."""

import subprocess
import sys

import pytest

from tests.dashboard.pages import ROOT

STARTING = """
import asyncio, os, sys

class Looks:
    def find_spec(self, name, *_):
        if name == "torch":
            print("torch is told:", os.environ.get("OMP_WAIT_POLICY"))

async def start():
    async with app.lifespan(None):
        pass

sys.meta_path.insert(0, Looks())
import app
asyncio.run(start())
"""


@pytest.mark.slow
def test_torch_has_been_told_to_let_its_threads_sleep_when_it_is_imported():
    done = subprocess.run([sys.executable, "-c", STARTING], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "torch is told: PASSIVE" in done.stdout
