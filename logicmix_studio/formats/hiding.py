"""Hide labels of a completely labelled set, for trials in which the truth is known."""

from __future__ import annotations

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import DEFAULT_SEED, LabelTable, drop_labels


def hide_labels(table: LabelTable, proportion: float, seed: int = DEFAULT_SEED) -> LabelTable:
    """Keep each known cell with the given probability; images of split test keep all.

    What is hidden in one image does not depend on whether others belong to the test split.

    Args:
        table: The complete table.
        proportion: Probability in [0, 1] to keep a known cell.
        seed: Seed of the draws.

    Returns:
        A new table.

    Raises:
        StudioError: If the proportion lies outside [0, 1], or the seed is negative.
    """
    if not 0.0 <= proportion <= 1.0:
        raise StudioError(
            f"the known proportion must lie in [0, 1], but {proportion:g} was given", "Give 0.1 for 10 %."
        )
    if seed < 0:
        raise StudioError(f"the seed must not be negative, but {seed} was given", "Give 0 or a larger number.")
    states = drop_labels(table.states, proportion, seed)
    states[table.is_test] = table.states[table.is_test]
    return LabelTable(table.image_ids, table.paths, table.class_names, states, table.splits)
