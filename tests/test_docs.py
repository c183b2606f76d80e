"""What README.md and docs/ say is what is stored, what is run, and what is there."""

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.test_architecture import ORDER

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
TRAINS = "training.md"  # whose lines take half a minute


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    return _script("tables")


def anchors(page: Path) -> set[str]:
    """Where a link into the `page` can lead, as GitHub names its headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_ci_runs_the_readmes_test_command():
    (command,) = [line for line in (ROOT / "README.md").read_text().splitlines() if line.endswith("-m pytest")]
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_every_table_is_what_is_stored(tables):
    outdated = {page.name: tables.rewritten(page.read_text())[1] for page in tables.pages()}
    assert not any(outdated.values()), "write them anew with `python docs/tables.py`"


def test_every_table_stands_somewhere(tables):
    there = "".join(page.read_text() for page in tables.pages())
    assert [name for name in tables.TABLES if f"<!-- table: {name} -->" not in there] == []


def test_an_altered_figure_is_found_and_put_right(tables):
    altered = 0
    for page in tables.pages():
        text = page.read_text()
        for block in tables.BLOCK.finditer(text):
            for digit in re.finditer(r"\d", block[0][len(block["begin"]) :]):
                at = block.start() + len(block["begin"]) + digit.start()
                wrong = f"{text[:at]}{(int(digit[0]) + 1) % 10}{text[at + 1 :]}"
                assert tables.rewritten(wrong) == (text, [block["name"]])
                altered += 1
    assert altered > 500


def test_the_check_says_which_table_is_out_of_date_and_changes_nothing(tables, tmp_path, monkeypatch, capsys):
    (tmp_path / "docs").mkdir()
    page = tmp_path / "README.md"
    wrong = (ROOT / "README.md").read_text().replace("| sigmoid-mlp/vanilla | 98", "| sigmoid-mlp/vanilla | 89")
    page.write_text(wrong)
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    assert tables.main(["--check"]) == 1
    assert capsys.readouterr().out == "README.md: table-1 is out of date\n" and page.read_text() == wrong
    assert tables.main([]) == 0 and page.read_text() == (ROOT / "README.md").read_text()
    assert capsys.readouterr().out and tables.main(["--check"]) == 0


@pytest.mark.parametrize("text", ["<!-- table: nobody -->\n<!-- end -->", "<!-- table: grids -->\n"])
def test_a_table_that_cannot_be_written_is_one_sentence(tables, text):
    with pytest.raises(ValueError, match=r"^expected "):
        tables.rewritten(text)


def test_an_unknown_picture_is_refused_before_anything_is_started(monkeypatch):
    pictures = _script("pictures")
    monkeypatch.setattr(pictures, "served", None)
    monkeypatch.setattr(sys, "argv", ["pictures.py", "home", "nobody"])
    with pytest.raises(SystemExit, match=r"^expected names out of home, .*, grid, got nobody$"):
        pictures.main()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for link in LINK.findall(page.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_end_by_column_120(page):
    commands = [line for line in page.read_text().splitlines() if len(line) > 120]
    assert all(line.startswith("python3 -m venv .venv && ") for line in commands)


def test_the_readme_fits_three_screens():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 125


def test_every_name_of_the_api_is_there():
    names = re.findall(r"^\| `satcore\.([a-z_]+)\.([a-z_0-9]+)\(", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert len(names) > 15
    for module, name in names:
        assert callable(getattr(importlib.import_module(f"satcore.{module}"), name))


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != TRAINS], ids=lambda page: page.name)
@pytest.mark.slow
def test_the_python_of_the_docs_runs(page):
    """On few images, and at an ε at which the worst case is soon found."""
    for lines in PYTHON.findall(page.read_text()):
        exec(re.sub(r"\[:10+\]", "[:4]", lines).replace("epsilon=0.05", "epsilon=0.5"), {})


@pytest.mark.parametrize("path", ["README.md", "CONTRIBUTING.md"])
def test_every_file_that_is_named_is_there(path):
    for name in re.findall(
        r"`((?:satcore|pages|tests|docs|benchmarks|checkpoints)/[\w/.-]*)`", (ROOT / path).read_text()
    ):
        assert (ROOT / name).exists(), name


def test_the_order_of_imports_is_the_one_that_is_held():
    (listed,) = re.findall(r"```text\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert tuple(listed.split()) == ORDER
