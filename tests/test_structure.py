"""Imports point one way, also those hidden in functions; pure packages open nothing; sizes stay within their budgets."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "logicmix_studio"
LAYERS = (
    {"archives", "environment", "errors", "files", "processes", "words"},
    {"labels", "mixing", "losses"},
    {"images", "formats"},
    {"store", "review", "training"},
    {"runs", "explore", "evaluation"},
    {"importing"},
    {"adopting"},
    {"studio"},
    {"trials"},
    {"app", "backup", "cli", "doctor", "verify"},
)
"""What stands in a layer may import from its own and from those before it."""
PURE = ("labels", "mixing", "losses")
NOT_PURE = {"os", "pathlib", "gradio", "fiftyone", "pymongo", "subprocess", "socket", "tempfile", "shutil"}
OUTSIDE = {
    "fiftyone": ("store/fiftyone",),
    "pymongo": ("store/fiftyone", "doctor.py"),
    "gradio": ("app",),
    "typer": ("cli",),
    "fsspec": ("images/fetch.py",),
}
"""Which packages alone may know a library."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""


def layer_of(part: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if part in layer)


MODULES = list(modules())


@pytest.mark.parametrize(("name", "tree"), MODULES, ids=[name for name, _ in MODULES])
def test_imports_point_one_way(name: str, tree: ast.Module) -> None:
    part = name.split("/", maxsplit=1)[0].removesuffix(".py")
    if part in ("__init__", "__main__"):
        return
    for module in imported(tree):
        words = module.split(".")
        if words[0] == "logicmix_studio" and len(words) > 1:
            assert layer_of(words[1]) <= layer_of(part), f"{name} imports {module}"
            if part == "app":
                assert words[1] != "cli", f"{name} imports {module}"
        if part in PURE:
            assert words[0] not in NOT_PURE, f"{name} imports {module}"
        for library, places in OUTSIDE.items():
            if words[0] == library:
                assert name.startswith(places), f"{name} imports {module}"


def test_there_is_no_cycle() -> None:
    names = {name: set(imported(tree)) for name, tree in MODULES}
    dotted = {name: "logicmix_studio." + name.removesuffix(".py").replace("/", ".") for name in names}
    known = {path.removesuffix(".__init__"): name for name, path in dotted.items()}
    seen: dict[str, str] = {}

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert seen.get(name) != "open", " → ".join((*way, name))
        if name in seen:
            return
        seen[name] = "open"
        for module in sorted(names[name]):
            if module in known and known[module] != name:
                visit(known[module], (*way, name))
        seen[name] = "done"

    for name in names:
        visit(name, ())


@pytest.mark.parametrize(
    ("pattern", "most"),
    [("assets/**/*.js", 1_200), ("assets/**/*.css", 1_200), ("logicmix_studio/**/*.py", 34_700)],
)
def test_sizes_stay_within_their_budgets(pattern: str, most: int) -> None:
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.glob(pattern))
    assert 0 < lines <= most


def test_tabs_are_short_and_services_know_no_studio() -> None:
    for path in (PACKAGE / "app" / "tabs").glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 450, path.name
    for name, tree in MODULES:
        if name.split("/")[0] in ("review", "runs", "explore", "store", "training"):
            assert "logicmix_studio.studio" not in set(imported(tree)), name
