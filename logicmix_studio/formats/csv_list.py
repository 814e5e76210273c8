"""csv-list: one row an image, with the classes present in one column. FiftyOne's CSVDataset is of this kind."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import Cells, LabelFormat, csv_lines, split_fields
from logicmix_studio.formats.request import ReadRequest, Statement, read_statements
from logicmix_studio.formats.table import SPLIT_COLUMN
from logicmix_studio.labels import TableBuilder

LIST_COLUMNS = frozenset({"labels", "classes", "tags"})
"""Headers, in lower case, of a column that holds lists whatever its values are, if it is the only one."""
_OTHER_LIST_COLUMNS = frozenset({"label", "class", "tag", "category", "categories", "keywords", "finding labels"})
_FIFTYONE_ENDING = ".label"

_PANDAS_EMPTY = "nan"
_JOIN = "|"
_SEPARATORS = (_JOIN, ";", ",", "#")
_STRING = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_SPECIAL = frozenset((*_SEPARATORS, " ", "[", "(", "{"))


def list_column(file: LabelFile) -> int | None:
    """Return the column that holds lists of classes, or None: it does not hold states, nor does any column beside it."""
    table = file.table
    no_labels = (table.image_column, table.column(SPLIT_COLUMN))
    others = [i for i, title in enumerate(table.header) if title and i not in no_labels]
    if table.image_column is None or not others:
        return None
    titles = [table.header[i].lower() for i in others]
    if len(titles) == 1 and titles[0] in LIST_COLUMNS:
        return others[0]
    if file.columns is not None:
        chosen = table.column(file.columns[0].lower()) if len(file.columns) == 1 else None
        return chosen if chosen is not None and table.columns[chosen].is_foreign else None
    for is_list in (lambda title: title.endswith(_FIFTYONE_ENDING), (LIST_COLUMNS | _OTHER_LIST_COLUMNS).__contains__):
        for i in (i for i, title in zip(others, titles, strict=True) if is_list(title)):
            beside = (table.columns[j] for j in others if j != i)
            if table.columns[i].is_foreign and all(c.is_foreign or c.words <= {""} for c in beside):
                return i
    return None


def read_csv_list(request: ReadRequest) -> TableBuilder:
    """Read lists; without given classes, all that are named, in alphabetical order."""
    rows: list[tuple[Statement, str]] = []
    for file in request.files:
        column = list_column(file)
        assert column is not None
        for line, path, split, fields in request.rows(file):
            text = fields[column].strip()
            rows.append((Statement(path, (), file, line, split), "" if text == _PANDAS_EMPTY else text))
    divide = _divider(request, list(dict.fromkeys(text for _, text in rows if text)))
    return read_statements(request, [said._replace(present=_names(divide(text))) for said, text in rows])


def _names(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for word in words if (name := word.strip())))


def _divider(request: ReadRequest, texts: Sequence[str]) -> Callable[[str], Sequence[str]]:
    """Return what divides a list into names.

    Raises:
        StudioError: If the separator can't be told.
    """
    if request.separator:
        return lambda text: text.split(request.separator)
    if texts and all(_literal(text) is not None for text in texts):
        return lambda text: _literal(text) or ()
    known = set(request.class_names or ())
    found = [mark for mark in (*_SEPARATORS, " ") if any(mark in text for text in texts)]
    if not found or (known and all(text in known for text in texts)):
        return lambda text: (text,)
    fitting = [mark for mark in found if known and all(known.issuperset(_names(text.split(mark))) for text in texts)]
    mark = (fitting or found)[0]
    if not fitting and mark != _JOIN and (mark == " " or len(found) > 1 + (" " in found)):
        example = next(text for text in texts if mark in text)
        where = request.files[0].name
        raise StudioError(
            f"{where}: the separator can't be told: {' and '.join(map(repr, found))} may join names "
            f"or be part of one ({example!r})",
            "Say it with --separator ' ' (or --separator '|' where each is one name).",
        )
    return lambda text: text.split(mark)


def _literal(text: str) -> Sequence[str] | None:
    """Return the names in a list as JSON, Python or numpy (without commas) write it, or None."""
    try:
        if text[:1] == "[" and not _STRING.sub("", text).strip("[] \n"):
            return [ast.literal_eval(one) for one in _STRING.findall(text)]
        names = ast.literal_eval(text) if text[:1] in ("[", "(", "{") else None
    except (ValueError, SyntaxError):
        return None
    return [str(name) for name in names] if isinstance(names, list | tuple | set) else None


def _rows(cells: Cells) -> Iterator[Sequence[str]]:
    """Yield one row an image; with JSON lists where a name could be taken for several."""
    names = cells.table.class_names
    is_plain = _SPECIAL.isdisjoint("".join(names)) and _PANDAS_EMPTY not in names
    title, *splits = split_fields(cells.table.splits)
    yield ["image", *title, "labels"]
    for row, path in cells.rows():
        named = cells.named(row)
        yield [path, *splits[row], _JOIN.join(named) if is_plain else json.dumps(named, ensure_ascii=False)]


CSV_LIST = LabelFormat(
    "csv-list",
    "one column that lists the classes present",
    lambda file: list_column(file) is not None,
    read_csv_list,
    lambda cells: csv_lines(_rows(cells)),
    {"splits"},
    names_only_positives=True,
)
