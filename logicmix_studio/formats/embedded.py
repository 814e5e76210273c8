"""Pictures embedded in Parquet files, as Hugging Face's `datasets` writes them, become files.

`train-00000-of-00002.parquet` and its other parts become a folder `train` beside them, with the pictures and a table of all
other columns, `metadata.parquet`: an image folder as `datasets` has it, too. No file of others is ever replaced.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from PIL import Image

from logicmix_studio.errors import StudioError
from logicmix_studio.files import replacing
from logicmix_studio.formats.record_table import PICTURES_A_STEP, features_of, opened_parquet, picture_columns
from logicmix_studio.formats.texts import part_of, shown
from logicmix_studio.images.decode import IMAGE_SUFFIXES
from logicmix_studio.words import Progress

_TABLE: Final = "metadata.parquet"
_SOURCES: Final = b"logicmix_studio.sources"
_NAME: Final = "file_name"
_LONGEST_STEM: Final = 50


def extract_pictures(root: Path, files: Sequence[Path], *, has_images: bool, progress: Progress | None) -> list[str]:
    """Write the pictures embedded in Parquet files below a folder, unless that was done; return what was done in words.

    Where it holds images in files, too, only what was extracted before is kept up to date.

    Raises:
        StudioError: If a file can't be read or written, or there is a table in the way.
    """
    parts: dict[Path, list[Path]] = defaultdict(list)
    for path in files:
        folder = path.parent / part_of(path)
        wanted = path.suffix.lower() == ".parquet" and path.name != _TABLE
        if wanted and (not has_images or (folder / _TABLE).exists()) and picture_columns(path):
            parts[folder].append(path)
    told = []
    for folder, paths in parts.items():
        sources = {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in paths}
        if _sources(folder / _TABLE) != sources:
            number, place = _extract(folder, paths, sources, progress), folder.relative_to(root).as_posix()
            told.append(
                f"Pictures extracted from {shown(path.name for path in paths)} into the folder {place}: {number:,}."
            )
    return told


def _sources(table: Path) -> dict[str, Any] | None:
    """Return what a table was extracted from, or None where there is none; a StudioError for a table of somebody else."""
    if not table.exists():
        return None
    with opened_parquet(table) as file:
        said = (file.schema_arrow.metadata or {}).get(_SOURCES)
    if said is None:
        told = f"the pictures embedded in Parquet files can't be extracted into {table.parent}: there is a {_TABLE} already"
        raise StudioError(told, "Move it away, or remove the Parquet files whose pictures are in that folder.")
    return dict(json.loads(said))


def _extract(folder: Path, paths: Sequence[Path], sources: dict[str, Any], progress: Progress | None) -> int:
    """Write pictures and table; return how many rows they have."""
    import pyarrow as pa  # noqa: PLC0415 (an extra)
    from pyarrow import parquet  # noqa: PLC0415

    done, writer = 0, None
    with replacing(folder / _TABLE, new_folders=1) as stream:
        for path in paths:
            picture, *more = picture_columns(path)
            with opened_parquet(path) as file:
                others = [name for name in file.schema_arrow.names if name not in (picture, *more, _NAME)]
                features = {_NAME: {"dtype": "string", "_type": "Value"}}
                features |= {name: one for name, one in features_of(path, file).items() if name in others}
                facts = {b"huggingface": json.dumps({"info": {"features": features}}), _SOURCES: json.dumps(sources)}
                for batch in file.iter_batches(PICTURES_A_STEP):
                    names = pa.array([_save(folder, one) for one in batch.column(picture).to_pylist()], pa.string())
                    rows = pa.Table.from_batches([batch]).select(others).add_column(0, _NAME, names)
                    rows = rows.replace_schema_metadata(facts)
                    writer = writer or parquet.ParquetWriter(stream, rows.schema)
                    writer.write_table(rows.cast(writer.schema))
                    done += len(names)
                    if progress is not None:
                        progress(done, max(done, file.metadata.num_rows), "extracting pictures")
        if writer is not None:
            writer.close()
    return done


def _save(folder: Path, value: Any) -> str | None:
    """Write one picture and return its name. Where another file is called so, a digest makes its own."""
    content, name = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
    if not content:
        return name
    stem, suffix = os.path.splitext(os.path.basename((name or "").replace("\\", "/").replace("\0", "")))
    stem, digest = stem.lstrip(".")[:_LONGEST_STEM], hashlib.blake2b(content, digest_size=8).hexdigest()
    if suffix.lower() not in IMAGE_SUFFIXES:
        with suppress(OSError, Image.DecompressionBombError):
            suffix = f".{Image.open(io.BytesIO(content)).format}".lower()
        suffix = suffix if suffix in IMAGE_SUFFIXES else ".jpg"  # that it can't be read is told when it is
    for called in filter(None, (stem, f"{stem}-{digest}".lstrip("-"))):
        path = folder / f"{called}{suffix}"
        if not path.exists():
            with replacing(path, is_durable=False) as file:
                file.write(content)
        if path.read_bytes() == content:
            return path.name
    raise StudioError(f"cannot extract a picture to {path}: another file is called so", "Move that file away.")
