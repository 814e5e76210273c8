"""parquet: csv-wide in Parquet, as `metadata.parquet` of Hugging Face's image folders is: 1, 0 or null a class."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from logicmix_studio.formats.csv_wide import CSV_WIDE, wide_rows
from logicmix_studio.formats.label_format import Cells
from logicmix_studio.formats.record_table import import_parquet
from logicmix_studio.formats.table import ROWS_A_STEP
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN

_VALUES = {POSITIVE: 1, NEGATIVE: 0, UNKNOWN: None}


def write_parquet(cells: Cells) -> Iterator[bytes]:
    """Write a row an image.

    Raises:
        StudioError: If pyarrow is missing, or a class would be something else when the file is read again.
    """
    arrow, parquet = import_parquet("parquet can't be written")
    rows = wide_rows(cells, "parquet", "file_name", _VALUES)
    titles = next(rows)
    num_texts = len(titles) - cells.table.num_classes
    kinds = [arrow.string()] * num_texts + [arrow.int8()] * cells.table.num_classes
    schema, buffer = arrow.schema(list(zip(titles, kinds, strict=True))), io.BytesIO()
    with parquet.ParquetWriter(buffer, schema) as writer:
        while part := list(islice(rows, ROWS_A_STEP)):
            columns = [arrow.array(one, kind) for one, kind in zip(zip(*part, strict=True), kinds, strict=True)]
            writer.write_table(arrow.Table.from_arrays(columns, schema=schema))
    yield buffer.getvalue()


PARQUET = replace(
    CSV_WIDE,
    name="parquet",
    sign="a Parquet table with a column that names the image, and one column a class",
    write=write_parquet,
    suffixes=(".parquet",),
)
