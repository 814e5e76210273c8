"""What the likeliest cells of each class promise, and how pages correct it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from logicmix_studio.review.likeliest import likeliest_sums
from logicmix_studio.studio import Studio

SHAPE = (9, 3)
SCORES = hnp.arrays(np.float16, SHAPE, elements=st.floats(0, 1, width=16))


@settings(max_examples=60, deadline=None)
@given(SCORES, hnp.arrays(np.bool_, SHAPE), st.integers(1, 12))
def test_likeliest_sums__agree_with_sorting(scores: NDArray[np.float16], is_open: NDArray[np.bool_], size: int) -> None:
    for column, found in enumerate(likeliest_sums(scores, is_open, size).tolist()):
        chances = scores[is_open[:, column], column].astype(np.float64)
        assert found == pytest.approx(np.sort(chances[chances != 0.5])[::-1][:size].sum())


def test_likeliest_sums__of_no_image_are_nothing() -> None:
    assert likeliest_sums(np.zeros((0, 2), np.float16), np.zeros((0, 2), np.bool_), 24).tolist() == [0.0, 0.0]


def test_correction__counts_what_pages_brought_and_an_undo_takes_it_back(studio: Studio) -> None:
    pages = studio.proposed.pages
    assert pages.correction(1).tolist() == [1.0] * 6
    page = studio.review.likeliest_page(who="ada", holder="grid", want=4)
    cells = [card.cell for card in page.batch.cards]
    studio.review.confirm(cells, sign=1, wrong=cells[:1], unsure=cells[1:2], who="ada")
    settled = [card.score or 0.0 for card in (page.batch.cards[0], *page.batch.cards[2:])]
    column = studio.class_names.index(page.class_name)
    wanted = np.ones(6)
    wanted[column] = (1 + len(cells) - 2) / (1 + sum(settled))
    assert pages.correction(1) == pytest.approx(wanted)
    assert pages.correction(2).tolist() == [1.0] * 6
    studio.review.undo("ada")
    assert pages.correction(1) == pytest.approx(np.ones(6))
    studio.review.redo("ada")
    studio.reload()
    assert studio.proposed.pages.correction(1) == pytest.approx(wanted)
