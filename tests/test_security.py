"""What docs/security.md promises, as far as no other test holds it: asked of a server as `streamlit run` starts one."""

import http.client
import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from packaging.requirements import Requirement
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

ROOT = Path(__file__).parent.parent
ELSEWHERE = "http://elsewhere.example"
PROMISED = ROOT / "docs" / "security.md"


def asked(address: str, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    """Status and content of exactly that `path`, which no client tidies up before."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, response.read()


def websocket(address: str, **settings):
    return connect(f"{address.replace('http', 'ws', 1)}/_stcore/stream", subprotocols=["streamlit"], **settings)


def test_every_test_that_is_named_is_there():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PROMISED.read_text())
    assert len(named) > 10
    for file, name in named:
        assert f"def {name}(" in (ROOT / file).read_text(), name


@pytest.mark.slow
def test_the_server_listens_on_loopback_alone_and_calls_nobody(address):
    with websocket(address, origin=address):
        pass
    port = urlsplit(address).port
    servers = [
        process
        for process in psutil.Process().children(recursive=True)
        if any(connection.laddr.port == port for connection in process.net_connections())
    ]
    assert servers
    for process in servers:
        for connection in process.net_connections():
            assert connection.laddr.ip == "127.0.0.1"
            assert not connection.raddr or connection.raddr.ip == "127.0.0.1"


def test_the_browser_is_told_to_call_nobody():
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert config["browser"]["gatherUsageStats"] is False
    assert config["server"]["address"] == "127.0.0.1"
    assert not {"enableCORS", "enableXsrfProtection", "enableWebsocketCompression"} & set(config["server"])


@pytest.mark.slow
@pytest.mark.parametrize("file", ["app.py", "requirements.txt", ".streamlit/config.toml", "satcore/files.py"])
def test_no_file_of_the_machine_is_served(address, file):
    content = (ROOT / file).read_bytes()
    before = ["", "app/static/", "static/", "media/", "component/x/", "_stcore/", "_stcore/component/", "vendor/"]
    ways = ["", "../", "../../", "%2e%2e/", "..%2f..%2f", "..\\", "//", f"{ROOT}/"]
    for path in [f"/{start}{way}{file}" for start in before for way in ways] + [
        f"/{ROOT}/{file}",
        f"/file://{ROOT}/{file}",
    ]:
        _, found = asked(address, path)
        assert content[:200] not in found, path


@pytest.mark.slow
def test_other_sites_are_refused(address):
    with pytest.raises(InvalidStatus) as refused:
        websocket(address, origin=ELSEWHERE)
    assert refused.value.response.status_code == 403
    status, _ = asked(address, "/_stcore/upload_file/a/b", "PUT", Origin=ELSEWHERE)
    assert status == 403


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/_stcore/health", "/_stcore/stream"])
def test_another_sites_name_does_not_lead_here(address, path):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
    upgrade["Sec_WebSocket_Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="
    name = urlsplit(ELSEWHERE).netloc
    status, _ = asked(address, path, Host=name, Origin=ELSEWHERE, **(upgrade if "stream" in path else {}))
    assert status in (400, 403)


@pytest.mark.slow
def test_frames_that_mean_nothing_do_no_harm(address):
    for frame in (b"", b"\xff" * 1000, b"\x00" * 100_000, "text", b"\x0a\x0b" * 50):
        with websocket(address, origin=address) as socket:
            socket.send(frame)
    assert asked(address, "/_stcore/health") == (200, b"ok")


# requirements.lock


def pinned() -> dict[str, tuple[str, int]]:
    """Of each release that is pinned: its version, and how many hashes it has."""
    blocks = re.findall(
        r"^([\w.-]+)==(\S+)[^\n]*((?:\n    --hash=sha256:[0-9a-f]{64}[^\n]*)*)", LOCK.read_text(), re.MULTILINE
    )
    return {name: (version, hashes.count("--hash=")) for name, version, hashes in blocks}


LOCK = ROOT / "requirements.lock"


def required() -> list[Requirement]:
    lines = [
        line for file in ("requirements.txt", "requirements-test.txt") for line in (ROOT / file).read_text().split()
    ]
    return [Requirement(line) for line in lines]


def test_whatever_is_required_is_pinned_by_its_hashes_but_torch_by_its_version():
    there = pinned()
    assert all(count for _, count in there.values()) and len(there) > 50
    assert not [name for name in there if re.match("torch$|triton|nvidia|cuda", name)]
    for requirement in required():
        if requirement.name == "torch":
            assert re.fullmatch(r"==[\d.]+", str(requirement.specifier))
        else:
            assert there[requirement.name][0] in requirement.specifier, f"{requirement}: write it anew by .ci/lock"
