import numpy as np

from logicmix_studio.review.cell_hash import cell_hash, cell_uniform


def test_a_cell_has_the_same_number_whatever_it_is_asked_with():
    whole = cell_hash(np.arange(1000), seed=3)
    assert (cell_hash(np.array([[5, 900], [7, 5]]), seed=3) == whole[[[5, 900], [7, 5]]]).all()
    assert cell_hash(42, seed=3) == whole[42]


def test_cells_and_seeds_have_different_numbers():
    first, second = cell_hash(np.arange(10_000), seed=0), cell_hash(np.arange(10_000), seed=1)
    assert len(np.unique(first)) == 10_000
    assert not (first == second).any()


def test_numbers_are_even_and_unrelated():
    uniform = cell_uniform(np.arange(100_000), seed=1)
    assert uniform.min() >= 0.0
    assert uniform.max() < 1.0
    counts = np.bincount((uniform * 20).astype(int), minlength=20)
    assert np.abs(counts - 5000).max() < 5 * np.sqrt(5000)
    assert abs(np.corrcoef(uniform[:-1], uniform[1:])[0, 1]) < 0.02
    assert abs(np.corrcoef(uniform, cell_uniform(np.arange(100_000), seed=2))[0, 1]) < 0.02


def test_the_numbers_stay_the_same_in_later_versions():
    assert cell_hash(np.array([0, 1]), seed=0).tolist() == [16623371667256809469, 429404410292939812]
