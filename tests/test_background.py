"""Work that goes on whoever looks: one at a time, followed by its files, and gone when its process is."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import FileLock

from satcore import background

HOLDS = """import sys, time
from satcore import background
with background.at_work(sys.argv[1]) as report:
    report(0.25, "half of a half")
    print("at work", flush=True)
    time.sleep(60)
"""


def test_whoever_looks_sees_what_was_last_reported():
    assert background.report("dig") is None
    with background.at_work("dig") as report:
        assert background.report("dig") == background.Report(0.0, "begins", os.getpid())
        report(0.5, "deep, λ = 1")
        assert background.report("dig") == background.Report(0.5, "deep, λ = 1", os.getpid())
        assert background.report("another") is None
    assert background.report("dig") is None


def test_what_is_being_done_is_not_done_twice():
    with background.at_work("dig"):
        with pytest.raises(ValueError, match="expected work that nobody does yet"), background.at_work("dig"):
            pass
        with background.at_work("another"):
            pass
    with background.at_work("dig"):
        pass


def test_in_turn_one_waits_for_the_other():
    order, begun = [], threading.Event()

    def second():
        begun.set()
        with background.at_work("dig-second", in_turn=True):
            order.append("second")

    with background.at_work("dig-first", in_turn=True):
        thread = threading.Thread(target=second)
        thread.start()
        begun.wait()
        while (there := background.report("dig-second")) is None or there.says != "waits for its turn":
            assert thread.is_alive()
            time.sleep(0.05)  # who looks holds the lock for a moment, and is to leave it to the other one
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_who_came_first_has_the_first_turn():
    order, threads = [], []

    def wait(key):
        with background.at_work(key, in_turn=True):
            order.append(key)

    with background.at_work("dig-first", in_turn=True):
        for key in ("dig-c", "dig-a", "dig-d", "dig-b"):
            threads.append(threading.Thread(target=wait, args=(key,)))
            threads[-1].start()
            while (there := background.report(key)) is None or there.says != background.WAITS:
                assert threads[-1].is_alive()
                time.sleep(0.05)
    for thread in threads:
        thread.join()
    assert order == ["dig-c", "dig-a", "dig-d", "dig-b"]


def test_a_damaged_report_is_none(own_shelf):
    with background.at_work("dig"):
        numbers = [(done, 5) for done in ("1e999", "-1", "9" * 400)] + [(0.5, id) for id in (-1, 0, 10**30, "1e999")]
        wrong = [f'{{"says": "x", "done": {done}, "process": {id}}}' for done, id in numbers]
        for content in ("", "[]", '{"done": "x"}', "[" * 9999, *wrong):
            (own_shelf / background.FOLDER / "dig" / background.REPORT).write_text(content)
            assert background.report("dig") is None


@pytest.mark.slow
def test_work_ends_with_its_process_and_can_be_begun_again():
    process = subprocess.Popen([sys.executable, "-c", HOLDS, "dig"], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"at work\n"
    assert background.report("dig") == background.Report(0.25, "half of a half", process.pid)
    background.stop("dig")
    assert process.wait() == -signal.SIGTERM
    assert background.report("dig") is None
    with background.at_work("dig"):
        pass


@pytest.mark.slow
def test_a_command_that_ends_badly_leaves_its_sentence():
    process = background.start("examine-nobody", ["reality", "mine/nobody"])
    assert process.wait() == 2
    assert "mine/nobody" in background.complaint("examine-nobody")
    background.stop("examine-nobody")  # which there is nothing to do for


GIVING_WAY = """
import os
from satcore import background
background.give_way()
print(os.nice(0), open("/proc/self/autogroup").read().split()[-1])
"""


@pytest.mark.skipif(
    not os.access("/proc/self/autogroup", os.W_OK), reason="where Linux shares processors out among sessions"
)
def test_a_process_gives_way_to_other_sessions_too():
    said = subprocess.run(
        [sys.executable, "-c", GIVING_WAY], start_new_session=True, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == [str(min(19, os.nice(0) + background.NICENESS)), str(background.NICENESS)]


def test_many_who_look_at_once_do_not_take_each_other_for_work():
    """A page that is seen by several would say that what is paused goes on, and lead its viewers astray."""
    with background.at_work("work-of-the-past"):
        pass
    with ThreadPoolExecutor(8) as viewers:
        assert set(viewers.map(lambda _: background.report("work-of-the-past"), range(2_000))) == {None}


def test_a_glance_beside_what_a_killed_process_last_reported_ends_nobody():
    """Its number may be another process's by now."""
    innocent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with background.at_work("dig") as report:
            report(0.5, "deep")
            stale = (background.folder("dig") / background.REPORT).read_text()
        stale = stale.replace(str(os.getpid()), str(innocent.pid))
        (background.folder("dig") / background.REPORT).write_text(stale)
        glance = FileLock(background.folder("dig") / background.LOCK, thread_local=False)
        glance.acquire()
        threading.Timer(background.GLANCE / 4, glance.release).start()
        background.stop("dig", at_once=True)
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_who_begins_does_not_pass_for_the_one_before():
    with background.at_work("dig") as report:
        report(0.5, "deep")
    stale = (background.folder("dig") / background.REPORT).read_text().replace(str(os.getpid()), "1")
    (background.folder("dig") / background.REPORT).write_text(stale)
    with background.at_work("dig"):
        assert background.report("dig").process == os.getpid()
