"""Every reader over files that were damaged: it reads them or says what is wrong, and never fails in another way."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.formats import Cells, read_dataset, write_cells
from logicmix_studio.formats.writing import WRITE_FORMATS
from logicmix_studio.labels import LabelTable
from tests.workspaces import draw_images

DAMAGED = int(os.environ.get("LOGICMIX_FUZZ", "25"))
"""Damaged files a format; more by command."""
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 1e308, 10**30, 2**63, float("nan"), float("inf"), "", " ", "\ud800", "\0", "../../x.jpg"),
    *("a" * 100_000, [], {}, [[]], [None], {"": {}}, [1, "x", {}], {"image": 3, "labels": [0]}, "présent", "-0", "1,2"),
)
TEXTS = (
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n\n", b'"', b"'", b",", b";", b"\t", b"|"),
    *(b"<", b"&x;", b"[", b"{", b"-", b"9" * 400),
)


def json_damaged(content: Any, dice: random.Random) -> Any:
    """Put something odd in the place of one node, take it out, or name it otherwise."""
    if not isinstance(content, list | dict) or not content or dice.random() < 0.15:
        return dice.choice(ODD)
    key: Any = dice.choice(list(content)) if isinstance(content, dict) else dice.randrange(len(content))
    drawn = dice.random()
    if drawn < 0.1:
        content.pop(key)
    elif drawn < 0.2 and isinstance(content, dict):
        content[str(dice.choice(ODD))[:50]] = content.pop(key)
    else:
        content[key] = json_damaged(content[key], dice)
    return content


def bytes_damaged(content: bytes, dice: random.Random) -> bytes:
    """Cut, double, overwrite or put something in, some times."""
    for _ in range(dice.choice((1, 1, 2, 5))):
        start = dice.randrange(len(content) + 1)
        end = min(len(content), start + dice.choice((0, 1, 4, 100)))
        middle = dice.choice((b"", content[start:end] * 3, dice.choice(TEXTS), dice.randbytes(3)))
        content = content[:start] + middle + content[end:]
    return content[: dice.randrange(len(content) + 1)] if dice.random() < 0.1 else content


def cells_damaged(content: bytes, dice: random.Random) -> bytes:
    """Put something odd in the place of one of the cells of a table, or take one out."""
    lines = content.split(b"\n")
    at = dice.randrange(len(lines))
    parts = lines[at].split(b",")
    column = dice.randrange(len(parts))
    odd = str(dice.choice(ODD)).encode(errors="replace")
    parts[column : column + 1] = dice.choice(([], [odd], [odd, odd], [parts[column]] * 2))
    lines[at] = b",".join(parts)
    return b"\n".join(lines)


def damage(file: Path, dice: random.Random) -> None:
    """Damage one file in a way that its kind may be damaged."""
    content = file.read_bytes()
    ways: list[Callable[[bytes, random.Random], bytes]] = [bytes_damaged]
    if file.suffix == ".json":
        ways.append(lambda given, dice: json.dumps(json_damaged(json.loads(given), dice)).encode())
    if file.suffix in (".csv", ".txt"):
        ways.append(cells_damaged)
    file.write_bytes(dice.choice(ways)(content, dice))


def write_whole(root: Path, name: str) -> Path:
    """Write some cells in a format, beside their images; return the file or folder of the labels."""
    paths, splits = [f"part/{i} a.jpg" for i in range(4)], ["train", "val", "test", ""]
    table = LabelTable.build(
        paths, ["cat", "dog, big", "зебра"], [[1, 0, -1], [0, -1, 1], [1, 1, -1], [0, 0, 0]], splits
    )
    how = {"sources": np.abs(table.states).astype(np.uint8), "scores": np.full(table.states.shape, 0.97)}
    cells = Cells.of(table, proposals=np.where(table.states == 0, 1, 0).astype(np.int8), run=3, **how)
    draw_images(root, table.paths, table.states, side=16)
    labels = root / f"labels{WRITE_FORMATS[name]}"
    try:
        write_cells(labels, name, cells)
    except StudioError:  # formats that hold complete labels alone
        complete = LabelTable.build(paths, ["cat", "dog", "cow"], np.where(table.states == 1, 1, -1), splits)
        write_cells(labels, name, complete)
    return labels


@pytest.mark.parametrize("name", WRITE_FORMATS)
def test_a_damaged_file_is_read_or_refused(name: str, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert read_dataset(whole, labels=write_whole(whole, name)).table.num_images == 4
    for number in range(DAMAGED):
        dice = random.Random(f"{name} {number}")
        root = tmp_path / f"{number}"
        shutil.copytree(whole, root, copy_function=os.link)
        labels = root / f"labels{WRITE_FORMATS[name]}"
        file = dice.choice(sorted(path for path in labels.rglob("*") if path.is_file())) if labels.is_dir() else labels
        content = file.read_bytes()
        file.unlink()  # a link to the whole one
        file.write_bytes(content)
        damage(file, dice)
        try:  # a table, or what is wrong
            read_dataset(root, labels=dice.choice((labels, None)), skip_bad=dice.random() < 0.5, check=False)
        except StudioError:
            pass
        except Exception as error:
            raise AssertionError(f"{name}, damaged by {number}: {file.read_bytes()[:2000]!r}") from error
        shutil.rmtree(root)


MANY = [f"c{number}" for number in range(100_000)]
ENTITIES = '<!ENTITY a "b">' + "".join(
    f'<!ENTITY {new} "&{old};&{old};&{old};&{old};">' for old, new in itertools.pairwise("abcdefghij")
)
SHAPES: dict[str, tuple[str, str, str | int]] = {
    "100,000 columns": ("labels.csv", f"image,{','.join(MANY)}\n0.jpg,{','.join('1' * len(MANY))}\n", len(MANY)),
    "100,000 classes, a line each": ("labels.csv", "image,class,value\n" + "".join(f"0.jpg,{c},1\n" for c in MANY), len(MANY)),
    "deep JSON array": ("labels.json", "[" * 100_000 + "]" * 100_000, r"labels\.json:1: .*nested too deeply"),
    "deep JSON object": ("labels.json", '{"a":' * 50_000 + "1" + "}" * 50_000, r"labels\.json:1: .*nested too deeply"),
    "deep JSON line": ("labels.jsonl", "[" * 100_000 + "\n", r"labels\.jsonl:1: .*nested too deeply"),
    "deep XML": ("annotations.xml", "<a>" * 50_000 + "</a>" * 50_000, "neither labels nor classes"),
    "entities of entities": ("annotations.xml", f"{ENTITIES}<annotations><image>&j;</image></annotations>", "entities"),
    "a cell of 20 MB": ("labels.csv", f"image,labels\n0.jpg,{'x' * 20_000_000}\n", r"labels\.csv:2: .*field limit"),
    "a line of 50 MB": ("labels.csv", "x" * 50_000_000, r"labels\.csv:1: .*field limit"),
    "no class": ("labels.csv", "image\n0.jpg\n", r"labels\.csv:1: there is no column of labels"),
    "one class": ("labels.csv", "image,cat\n0.jpg,1\n", 1),
    "odd names": ("labels.json", json.dumps({"0.jpg": ["a/b", "<b>", "a\nb", "שלום", "🐶", "..", "con", "$x", "a.b", " x "]}), 10),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_a_file_of_odd_shape_is_read_or_refused(name: str, tmp_path: Path) -> None:
    file, content, expected = SHAPES[name]
    draw_images(tmp_path, ["0.jpg", "1.jpg"], np.ones((2, 1)), side=16)
    (tmp_path / file).write_text(content, encoding="utf-8")
    if isinstance(expected, int):
        assert read_dataset(tmp_path, check=False).table.num_classes == expected
    else:
        with pytest.raises(StudioError, match=expected):
            read_dataset(tmp_path, check=False)
