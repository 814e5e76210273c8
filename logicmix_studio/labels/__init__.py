"""States of cells, OR and its reasons, hiding labels, and the table of what is known."""

from logicmix_studio.labels.builder import SHOWN_PROBLEMS, LabelProblems, Problem, TableBuilder
from logicmix_studio.labels.states import (
    DEFAULT_SEED,
    NEGATIVE,
    POSITIVE,
    STATE_NAMES,
    UNKNOWN,
    OrExplanation,
    as_states,
    drop_labels,
    explain_or,
    kleene_or,
    known_proportion,
)
from logicmix_studio.labels.table import (
    TEST_SPLIT,
    LabelTable,
    clean_path,
    hide_labels,
    image_id,
    table_from_arrays,
    table_to_arrays,
)

__all__ = [
    "DEFAULT_SEED",
    "NEGATIVE",
    "POSITIVE",
    "SHOWN_PROBLEMS",
    "STATE_NAMES",
    "TEST_SPLIT",
    "UNKNOWN",
    "LabelProblems",
    "LabelTable",
    "OrExplanation",
    "Problem",
    "TableBuilder",
    "as_states",
    "clean_path",
    "drop_labels",
    "explain_or",
    "hide_labels",
    "image_id",
    "kleene_or",
    "known_proportion",
    "table_from_arrays",
    "table_to_arrays",
]
