import itertools

import numpy as np
import pytest

from logicmix_studio.explore.blend_methods import COMPARISONS, most_telling


def methods(studio, *rows, **options):
    results, order = studio.blends.methods(
        studio.blends.make([studio.image_ids[row] for row in rows], **options), size=16
    )
    return {result.name: result for result in results}, order


def test_only_logicmix_has_no_wrong_negative(open_studio):
    studio = open_studio("trial", trial=True)
    wrong = dict.fromkeys(COMPARISONS, 0)
    rows = studio.blends.sources.rows.tolist()
    for pair in itertools.pairwise(rows):
        for name, result in methods(studio, *pair)[0].items():
            wrong[name] += int(result.wrong.sum())
    assert wrong["LogicMix"] == 0
    assert min(wrong[name] for name in ("Assume negative", "OR Mixup", "Mixup")) > 0


def test_logicmix_equals_the_truth_table(studio):
    found, _ = methods(studio, 3, 8, 13)
    table = [row.state for row in studio.blends.truth_table([studio.image_ids[row] for row in (3, 8, 13)])]
    values = found["LogicMix"].values
    assert np.where(np.isnan(values), 0, 2 * values - 1).tolist() == table


def test_mixup_gives_soft_labels_of_the_first_two(studio):
    found, _ = methods(studio, 0, 1, 2, seed=1)
    pair = studio.blends.sources.working([0, 1], with_pseudo=False).numpy()
    assert ((found["Mixup"].values == 0) == (pair != 1).all(axis=0)).all()
    assert found["Mixup"].picture.shape == (16, 16, 3)


def test_wrong_negatives_are_only_marked_where_the_truth_is_known(studio):
    found, _ = methods(studio, 0, 1)
    assert all(result.wrong is None for result in found.values())
    assert "wrong" not in found["Mixup"].summary


@pytest.mark.parametrize("rows", [(0,), (0, 0)])
def test_one_image_is_mixed_with_nothing(studio, rows):
    found, _ = methods(studio, *rows)
    assert np.array_equal(found["LogicMix"].picture, found["MixUp-PME"].picture)


def test_classes_in_which_methods_differ_come_first(open_studio):
    studio = open_studio("trial", trial=True, known_proportion=0.1)
    results, order = studio.blends.methods(studio.blends.draw_telling(), size=16)
    assert order == most_telling(results)
    assert sorted(order) == list(range(6))
    first, last = order[0], order[-1]
    assert sum(result.wrong[first] for result in results) >= sum(result.wrong[last] for result in results)
    assert "✗" in "".join(result.cell(first) for result in results)
