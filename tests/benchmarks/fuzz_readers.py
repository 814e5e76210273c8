"""Every reader under a fuzzer that is guided by what code it reaches; it stops at the first failure that is no refusal.

    uv run --with atheris python -m tests.benchmarks.fuzz_readers coco-json -max_total_time=300

It starts from a file of the format as the studio writes it. What it finds becomes a test; ``tests/formats/test_fuzz.py``
damages files of all formats at random in each run of the tests (``LOGICMIX_FUZZ=5000`` for longer).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["logicmix_studio.formats"]):
    from logicmix_studio.errors import StudioError
    from logicmix_studio.formats import read_dataset
    from logicmix_studio.formats.writing import WRITE_FORMATS
from tests.formats.test_fuzz import write_whole


def main() -> None:
    """Fuzz one format; the options of libFuzzer are handed on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("format", choices=[name for name, suffix in WRITE_FORMATS.items() if suffix])
    options, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        root, corpus = Path(temporary) / "set", Path(temporary) / "corpus"
        root.mkdir()
        corpus.mkdir()
        labels = write_whole(root, options.format)
        (corpus / "whole").write_bytes(labels.read_bytes())

        def once(content: bytes) -> None:
            labels.write_bytes(content)
            try:
                read_dataset(root, labels=labels, skip_bad=True, check=False)
            except StudioError:
                return

        atheris.Setup([sys.argv[0], *more, str(corpus)], once)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
