"""PASCAL VOC's lists (`ImageSets/Main`): a text file a class and split, whose lines are an image and 1, -1 or 0.

1 is present, -1 absent, 0 present but difficult. A file without a class, as `train.txt`, lists the images of a split.
"""

from __future__ import annotations

import re
from collections import defaultdict

import numpy as np

from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import Cells, Contents, LabelFormat
from logicmix_studio.formats.request import ReadRequest
from logicmix_studio.formats.texts import class_lines, parse_split, read_text, stems
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN, TableBuilder

_NAME = re.compile(r"(?:(?P<name>.+)_)?(?P<split>train|val|trainval|test)\.txt", re.DOTALL)
_NO_SPLIT = "trainval"
_CODES = {"1": POSITIVE, "-1": NEGATIVE, "0": POSITIVE}


def is_voc_list(file: LabelFile) -> bool:
    """Tell whether text is called after a class and split, with a code in its first line; or after the split of such."""
    named = _NAME.fullmatch(file.path.name)
    if named is None or named["name"] is None:
        return named is not None and next(file.path.parent.glob(f"*_{file.path.name}"), None) is not None
    words = read_text(file.path).partition("\n")[0].split()
    return not words or (len(words) > 1 and words[-1] in _CODES)


def read_voc_lists(request: ReadRequest) -> TableBuilder:
    """Read lists; a difficult object counts as present, as in VOC's XML files."""
    named = [(file, _NAME.fullmatch(file.path.name)) for file in request.files]
    met = sorted({found["name"] for _, found in named if found is not None and found["name"]})
    builder = request.start(request.class_names or met, repeats_allowed=True)
    num_difficult = 0
    for file, found in named:
        assert found is not None
        for line, text in enumerate(read_text(file.path).splitlines(), start=1):
            image, _, code = text.strip().rpartition(" ") if found["name"] else (text.strip(), "", "")
            path = request.find_image(image.strip(), file, line) if text.strip() else None
            if path is None:
                continue
            builder.add_image(path, split=parse_split(found["split"]), file=file.name, line=line)
            if found["name"] and code not in _CODES:
                request.report(f"the value {code!r} is none of 1 (present), -1 (absent) and 0 (difficult)", file, line)
            elif found["name"]:
                num_difficult += code == "0"
                builder.add_cell(path, found["name"], _CODES[code], file=file.name, line=line)
    if num_difficult:
        request.notes.append(f"Difficult (0) in the lists counts as present: {num_difficult:,} cells.")
    return builder


def write_voc_lists(cells: Cells) -> Contents:
    """Write a list a class and split, and one a split."""
    table = cells.table
    class_lines(table.class_names, "voc-lists", are_files=True)
    rows = defaultdict[str, list[int]](list)
    for row, split in enumerate(table.splits):
        rows[split or _NO_SPLIT].append(row)
    names = stems(table.paths, "voc-lists")
    for split, found in rows.items():
        yield f"{split}.txt", (f"{names[row]}\n" for row in found)
        for name, column in zip(table.class_names, table.states.T, strict=True):
            known = np.array(found)[column[found] != UNKNOWN].tolist()
            yield f"{name}_{split}.txt", [f"{names[row]} {column[row]:>2}\n" for row in known]


VOC_LISTS = LabelFormat(
    "voc-lists",
    "text files called after classes and splits, with lines of image and 1, -1 or 0",
    is_voc_list,
    read_voc_lists,
    holds={"negatives", "splits", "classes"},
    write_folder=write_voc_lists,
    suffixes=(".txt",),
    is_folder=True,
)
