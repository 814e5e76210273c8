from __future__ import annotations

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelProblems, Problem, TableBuilder


def build_problems(builder: TableBuilder) -> list[str]:
    with pytest.raises(LabelProblems) as caught:
        builder.build()
    assert caught.value.problems == builder.problems
    return [str(problem) for problem in caught.value.problems]


def test_build__from_cells_and_rows():
    builder = TableBuilder(["cat", "dog"])
    builder.add_row("a.jpg", [1, 0], split=" Test ")
    builder.add_cell("b.jpg", "dog", -1)
    builder.add_cell("a.jpg", "dog", -1)
    builder.add_image("c.jpg")
    table = builder.build()
    assert table.paths == ("a.jpg", "b.jpg", "c.jpg")
    assert table.states.tolist() == [[1, -1], [0, -1], [0, 0]]
    assert table.splits == ("test", "", "")


def test_build__nothing():
    assert TableBuilder([]).build().states.shape == (0, 0)
    assert TableBuilder(["cat"]).build().states.shape == (0, 1)


def test_build__classes_in_order_of_appearance():
    builder = TableBuilder()
    builder.add_cell("a.jpg", "dog", 0)
    builder.add_cell("a.jpg", "cat", 1)
    assert builder.build().class_names == ("dog", "cat")
    assert builder.build().states.tolist() == [[0, 1]]


def test_build__reports_everything_at_once_in_order_of_lines():
    builder = TableBuilder(["cat", "dog"])
    builder.add_cell("a.jpg", "cat", 1, file="l.csv", line=2)
    builder.add_cell("a.jpg", "cat", -1, file="l.csv", line=3)
    builder.add_cell("./a.jpg", "cat", 1, file="l.csv", line=4)
    builder.add_cell("a.jpg", "dgo", 1, file="l.csv", line=5)
    builder.add_cell("../a.jpg", "dog", 1, file="l.csv", line=6)
    builder.add_image("a.jpg", split="test", file="l.csv", line=7)
    builder.add_image("a.jpg", split="train", file="l.csv", line=8)
    builder.add_problem("value 'maybe'", file="l.csv", line=9)
    assert build_problems(builder) == [
        "l.csv:3: 'cat' of 'a.jpg' is negative here and positive in l.csv:2",
        "l.csv:4: 'cat' of 'a.jpg' is stated twice (first: l.csv:2)",
        "l.csv:5: there is no class 'dgo'; did you mean 'dog'?",
        "l.csv:6: '../a.jpg' lies outside the data set's folder",
        "l.csv:8: 'a.jpg' is of split 'train' here and of split 'test' before",
        "l.csv:9: value 'maybe'",
    ]


def test_build__skip_bad_leaves_out_only_what_is_wrong():
    builder = TableBuilder(["cat", "dog"])
    builder.add_cell("a.jpg", "cat", 1, file="l.csv", line=2)
    builder.add_cell("a.jpg", "cat", -1, file="l.csv", line=3)
    builder.add_cell("a.jpg", "dog", 1, file="l.csv", line=4)
    builder.add_cell("/b.jpg", "dog", 1, file="l.csv", line=5)
    table = builder.build(skip_bad=True)
    assert table.paths == ("a.jpg",)
    assert table.states.tolist() == [[0, 1]]
    assert [problem.line for problem in builder.problems] == [3, 5]


def test_build__a_row_twice():
    builder = TableBuilder(["cat", "dog", "owl"])
    builder.add_row("a.jpg", [1, 0, -1], file="l.csv", line=2)
    builder.add_row("a.jpg", [-1, 1, -1], file="l.csv", line=3)
    assert build_problems(builder) == [
        "l.csv:3: 'cat' of 'a.jpg' is negative here and positive in l.csv:2",
        "l.csv:3: a second row for 'a.jpg' (first: l.csv:2)",
    ]
    assert builder.build(skip_bad=True).states.tolist() == [[0, 1, -1]]


def test_build__a_cell_against_a_row():
    builder = TableBuilder(["cat"])
    builder.add_cell("a.jpg", "cat", -1, file="m.csv", line=9)
    builder.add_row("a.jpg", [1], file="l.csv", line=2)
    assert build_problems(builder) == ["m.csv:9: 'cat' of 'a.jpg' is negative here and positive in l.csv:2"]


def test_build__repeats_allowed_but_no_contradictions():
    builder = TableBuilder(["cat", "dog"], repeats_allowed=True)
    builder.add_cell("a.jpg", "cat", 1)
    builder.add_cell("a.jpg", "cat", 1)
    builder.add_row("b.jpg", [1, -1])
    builder.add_row("b.jpg", [1, 0])
    assert builder.build().states.tolist() == [[1, 0], [1, -1]]
    builder.add_cell("a.jpg", "cat", -1)
    (problem,) = build_problems(builder)
    assert problem == "'cat' of 'a.jpg' is negative here and positive in an earlier statement"


def test_build__wrong_path_is_noted_once():
    builder = TableBuilder(["cat", "dog"])
    builder.add_cell("/a.jpg", "cat", 1, file="l.csv", line=2)
    builder.add_cell("/a.jpg", "dog", 1, file="l.csv", line=3)
    assert build_problems(builder) == ["l.csv:2: '/a.jpg' is not a path below the data set's folder"]


def test_build__equals_naive_dictionary():
    generator = np.random.default_rng(5)
    builder = TableBuilder([str(c) for c in range(6)], repeats_allowed=True)
    truth = generator.choice([-1, 1], (20, 6))
    expected: dict[tuple[int, int], int] = {}
    for _ in range(300):
        row, column = int(generator.integers(20)), int(generator.integers(6))
        builder.add_cell(f"{row}.jpg", str(column), int(truth[row, column]))
        expected[row, column] = int(truth[row, column])
    table = builder.build()
    rows = [int(path.removesuffix(".jpg")) for path in table.paths]
    for i, row in enumerate(rows):
        assert table.states[i].tolist() == [expected.get((row, column), 0) for column in range(6)]


def test_add_row__refuses_another_length():
    with pytest.raises(ValueError, match="one state for each of 2 given classes"):
        TableBuilder(["cat", "dog"]).add_row("a.jpg", [1])


def test_builder__refuses_a_class_twice():
    with pytest.raises(StudioError, match="class 'cat' stands there twice"):
        TableBuilder(["cat", "cat"])


def test_label_problems__names_twenty_and_counts_the_rest():
    problems = [Problem("l.csv", line, "wrong") for line in range(1, 34)]
    message = str(LabelProblems(problems))
    assert message.startswith("33 problems:\n  l.csv:1: wrong\n")
    assert "l.csv:20: wrong\n  ... and 13 more\n" in message
    assert str(LabelProblems(problems[:1])).startswith("1 problem:")


def test_build__identical_problems_name_their_lines_together():
    builder = TableBuilder(["cat"])
    for line in (9, 2, 4, 5, 6, 7, 8):
        builder.add_cell("a.jpg", "dog", 1, file="l.csv", line=line)
    builder.add_cell("a.jpg", "dog", 1, file="m.csv", line=3)
    builder.add_cell("a.jpg", "dog", 1, file="m.csv", line=1)
    assert build_problems(builder) == [
        "l.csv:2: there is no class 'dog' (also lines 4, 5, 6, 7, 8 and 1 more)",
        "m.csv:1: there is no class 'dog' (also line 3)",
    ]
    assert str(LabelProblems(builder.problems)).startswith("9 problems:\n")


@pytest.mark.parametrize(
    ("problem", "text"), [(Problem("a.csv", 0, "empty"), "a.csv: empty"), (Problem("", 0, "empty"), "empty")]
)
def test_problem__without_a_line(problem, text):
    assert str(problem) == text
