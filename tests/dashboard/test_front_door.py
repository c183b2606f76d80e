"""What the server does before the first page."""

import os
import subprocess
import sys

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_cache import populate_hash_if_needed

from tests.dashboard.pages import ROOT

STARTING = """
import asyncio, os, sys

seen = set()

class Looks:
    def find_spec(self, name, *_):
        if name in ("numpy", "torch") and name not in seen:
            print(name, os.environ.get("OPENBLAS_NUM_THREADS"), os.environ.get("OMP_WAIT_POLICY"), flush=True)
            seen.add(name)
            if len(seen) == 2:
                os._exit(0)  # all else takes seconds, and every server that is tested does it

async def start():
    async with app.lifespan(None):
        pass

sys.meta_path.insert(0, Looks())
import app
asyncio.run(start())
"""


@pytest.mark.slow
def test_numpy_and_torch_have_been_told_to_leave_the_cores_to_others_when_they_are_imported():
    told = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "OPENBLAS_NUM"))}
    done = subprocess.run([sys.executable, "-c", STARTING], cwd=ROOT, env=told, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"numpy 1 PASSIVE", "torch 1 PASSIVE"} <= set(done.stdout.splitlines())


def test_no_element_is_sent_as_a_reference_to_one_that_the_browser_may_have_dropped():
    message = ForwardMsg()
    message.delta.new_element.markdown.body = "a figure " * 1_000_000
    populate_hash_if_needed(message)
    assert message.hash and not message.metadata.cacheable
