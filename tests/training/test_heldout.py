import dataclasses

import numpy as np

from logicmix_studio.training.heldout import cell_folds, cell_fractions, choose_heldout, training_rows
from logicmix_studio.training.run_folder import Snapshot


def big_snapshot(num_images=2000, num_classes=10):
    ids = np.array([f"{number:024x}" for number in range(num_images)])
    names = np.array([f"class {number}" for number in range(num_classes)])
    states = np.ones((num_images, num_classes), np.int8)
    return Snapshot(states, ids, ids, names, np.full(num_images, "train"))


def test_the_share_is_held_out_in_every_class():
    heldout = choose_heldout(big_snapshot(), 0.2)

    np.testing.assert_allclose(heldout.mean(axis=0), 0.2, atol=0.04)


def test_a_cell_stays_held_out_when_images_classes_and_labels_change():
    before = big_snapshot()
    rows, columns = np.array([7, 3, 1999, 50]), np.array([9, 2])
    states = before.states[np.ix_(rows, columns)].copy()
    states[0] = -1
    after = Snapshot(
        states, before.image_ids[rows], before.paths[rows], before.class_names[columns], before.splits[rows]
    )

    np.testing.assert_array_equal(choose_heldout(after, 0.2), choose_heldout(before, 0.2)[np.ix_(rows, columns)])


def test_unknown_cells_and_the_test_split_are_never_held_out():
    snapshot = big_snapshot()
    snapshot.states[:, 0] = 0
    splits = snapshot.splits.astype("U5")
    splits[:1000] = "test"
    heldout = choose_heldout(dataclasses.replace(snapshot, splits=splits), 0.5)

    assert not heldout[:, 0].any()
    assert not heldout[:1000].any()
    assert heldout[1000:, 1:].any()


def test_a_validation_split_is_held_out_whole():
    snapshot = big_snapshot(4, 2)
    splits = np.array(["train", "val", "test", ""])
    snapshot = dataclasses.replace(snapshot, splits=splits)

    heldout = choose_heldout(snapshot, 0.5)

    assert heldout.all(axis=1).tolist() == heldout.any(axis=1).tolist() == [False, True, False, False]
    assert training_rows(snapshot).tolist() == [0, 3]


def test_folds_are_even_and_unrelated_to_what_is_held_out():
    snapshot = big_snapshot()
    ids, names = snapshot.image_ids.tolist(), snapshot.class_names.tolist()
    folds = cell_folds(ids, names, 5)
    heldout = cell_fractions(ids, names) < 0.2

    assert folds.min() == 0
    assert folds.max() == 4
    np.testing.assert_allclose(np.bincount(folds.ravel()) / folds.size, 0.2, atol=0.02)
    np.testing.assert_allclose(np.bincount(folds[heldout]) / heldout.sum(), 0.2, atol=0.04)
