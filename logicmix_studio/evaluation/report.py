"""A benchmark in words and figures: a Markdown page with tables, and charts as SVG and PNG."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError, writing
from logicmix_studio.evaluation.benchmark import HEADLINE
from logicmix_studio.evaluation.methods import PUBLISHED, find_method
from logicmix_studio.evaluation.statistics import RankTest, mean_interval, paired_tests, rank_test
from logicmix_studio.files import replacing

MEASURES: Final = {
    HEADLINE: "mAP",
    "map": "mAP (all classes)",
    "map_11_point": "mAP (11 points)",
    "of1": "OF1",
    "cf1": "CF1",
    "calibration_error": "calibration error",
    "pseudo_positive_precision": "precision, present",
    "pseudo_positive_recall": "recall, present",
    "pseudo_negative_precision": "precision, absent",
    "pseudo_negative_recall": "recall, absent",
}
"""Columns of the table, and their names in the report; all but the time are shares, shown in percent."""
FEW_SCENARIOS: Final = 6
"""With fewer scenarios not even a method that wins everywhere is significant at 5 % by a signed-rank test."""
SALT: Final = "logicmix-studio"
"""Makes the identifiers in an SVG the same every time."""


def write_report(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Write ``report.md``, ``methods.svg`` and ``methods.png`` and, with several scenarios, ``ranks.*``.

    Args:
        table: One row a run: ``data_name, method, known_proportion, seed`` and the measures.
        folder: Where.

    Returns:
        The files.

    Raises:
        StudioError: If no run is finished, or a file can't be written.
    """
    if not len(table):
        raise StudioError("no run of the benchmark is finished", "run it first: logicmix-studio benchmark run DIR")
    names, values = scenario_means(table)
    files = [*_save(_methods_figure(table), folder / "methods")]
    text = ["# Benchmark", "", _about(table), "", "![mAP of each method](methods.svg)", ""]
    for share in sorted(table["known_proportion"].unique()):
        rows = table[table["known_proportion"] == share]
        text += [f"## {share:.0%} of the labels known", "", *_table_of(rows), ""]
    text += ["## Differences", "", *_differences(table), "", *_tests(names, values)]
    if len(values) > 1 and len(names) > 2:
        files += _save(_ranks_figure(names, rank_test(values)), folder / "ranks")
        text += ["![Average ranks](ranks.svg)", ""]
    text += _published()
    with writing(folder), replacing(folder / "report.md", new_folders=1) as file:
        file.write("\n".join(text).encode())
    return [folder / "report.md", *files]


def scenario_means(table: pd.DataFrame) -> tuple[list[str], NDArray[np.float64]]:
    """Return the methods that were run in every scenario, and the mean mAP over seeds as (S, M)."""
    means = table.pivot_table(index=["data_name", "known_proportion"], columns="method", values=HEADLINE, sort=False)
    means = means.dropna(axis="columns")
    return means.columns.tolist(), means.to_numpy(dtype=np.float64)


def _about(table: pd.DataFrame) -> str:
    seeds = ", ".join(map(str, sorted(table["seed"].unique())))
    realised = ", ".join(
        f"{share:.0%}: {rows['realised_proportion'].mean():.1%}" for share, rows in table.groupby("known_proportion")
    )
    return (
        f"Data: {', '.join(table['data_name'].unique())}. Seeds: {seeds}. Realised known proportion: {realised}. "
        "Means over seeds with 95 % t-intervals. mAP, F1 and calibration are measured on split test, pseudo-labels on the "
        "cells that were hidden. mAP is that of the classes with 10 positives or more in split test and outside it (of all, where "
        "none has so many). The last epoch is kept; nothing is chosen on split test."
    )


def _table_of(rows: pd.DataFrame) -> list[str]:
    head = ["method", *MEASURES.values(), "time (s)", "images/s"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, runs in rows.groupby("method", sort=False):
        shares = [mean_interval(runs[column]).words(1, 100) for column in MEASURES]
        times = [f"{runs[column].mean():,.0f}" for column in ("seconds", "images_per_second")]
        lines.append("| " + " | ".join([f"{name}: {find_method(str(name)).words}", *shares, *times]) + " |")
    return lines


def _differences(table: pd.DataFrame) -> list[str]:
    """Compare each method with the first one on the same labels and seeds."""
    paired = table.pivot_table(index=["known_proportion", "seed"], columns="method", values=HEADLINE, sort=False)
    first, *others = paired.columns
    lines = [f"mAP less that of {first} with the same labels and seed, in points:", ""]
    for share, rows in paired.groupby(level="known_proportion"):
        lines += [
            f"- {share:.0%} known, {name}: {mean_interval(rows[name] - rows[first]).words(1, 100)}" for name in others
        ]
    return lines


def _tests(names: Sequence[str], values: NDArray[np.float64]) -> list[str]:
    if len(values) < FEW_SCENARIOS:
        told = f"Tests over scenarios need {FEW_SCENARIOS} of them at least; there are {len(values)}: none is made."
        return [told, ""]
    ranks = rank_test(values)
    lines = [
        f"Friedman's test over {len(values)} scenarios: p = {ranks.p:.3g}.",
        "",
        "| pair | points | effect | p (Holm) |",
    ]
    lines.append("|---|--:|--:|--:|")
    for test in paired_tests(values, names):
        numbers = f"{100 * test.difference:+.1f} | {test.effect:+.2f} | {test.p_holm:.3g}"
        lines.append(f"| {test.first} against {test.second} | {numbers} |")
    return [*lines, ""]


def _published() -> list[str]:
    sets = list(dict.fromkeys(name for _, values in PUBLISHED for name in values))
    lines = [
        "## Published, on other data",
        "",
        "mAP averaged over 10 to 90 % known, ResNet-101 at 448 px: not ours.",
        "",
    ]
    lines += ["| method | " + " | ".join(sets) + " |", "|---" * (len(sets) + 1) + "|"]
    for name, values in PUBLISHED:
        lines.append(f"| {name} | " + " | ".join(str(values.get(each, "–")) for each in sets) + " |")
    return [*lines, ""]


def _methods_figure(table: pd.DataFrame) -> Figure:
    names = list(dict.fromkeys(table["method"]))
    shares = sorted(table["known_proportion"].unique())
    figure = Figure(figsize=(7, 0.4 * len(names) * len(shares) + 1.2), layout="constrained")
    axes = figure.subplots()
    for place, share in enumerate(shares):
        rows = table[table["known_proportion"] == share]
        found = [mean_interval(rows[rows["method"] == name][HEADLINE]) for name in names]
        heights = [-(number + 0.8 * place / len(shares)) for number in range(len(names))]
        half = [np.nan_to_num(each.high - each.mean) for each in found]
        means = [each.mean for each in found]
        axes.errorbar(means, heights, xerr=half, fmt="oDsv^"[place % 5], capsize=3, label=f"{share:.0%} known")
    axes.set_yticks([-number for number in range(len(names))], names)
    axes.set_xlabel("mAP on split test, mean and 95 % interval over seeds")
    axes.legend()
    return figure


def _ranks_figure(names: Sequence[str], ranks: RankTest) -> Figure:
    order = np.argsort(ranks.average_ranks)
    figure = Figure(figsize=(7, 0.3 * len(names) + 1.2), layout="constrained")
    axes = figure.subplots()
    for height, index in enumerate(order.tolist()):
        axes.plot([ranks.average_ranks[index]], [-height], "o", color="#0f766e")
        axes.annotate(f"  {names[index]}", (ranks.average_ranks[index], -height), va="center")
    best = min(ranks.average_ranks)
    axes.axvspan(best, best + ranks.critical_difference, alpha=0.15, color="#475569")
    axes.set_yticks([])
    axes.set_xlim(0.8, len(names) + 1.5)
    axes.set_xlabel("average rank; in the band no difference from the best is shown (Nemenyi, 5 %)")
    return figure


def _save(figure: Figure, place: Path) -> list[Path]:
    files = []
    with mpl.rc_context({"svg.hashsalt": SALT}):
        for kind in ("svg", "png"):
            drawn = BytesIO()
            figure.savefig(drawn, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
            files.append(place.with_suffix(f".{kind}"))
            with writing(files[-1]), replacing(files[-1], new_folders=1) as file:
                file.write(drawn.getvalue())
    return files
