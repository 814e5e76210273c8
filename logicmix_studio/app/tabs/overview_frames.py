"""What Overview's plots and tables show, as native components want it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from logicmix_studio.app.components.class_bars import percent
from logicmix_studio.review.progress import Speed
from logicmix_studio.words import duration

MEASURES = {
    "known": "known",
    "map": "mAP",
    "positives_right": "“yes” that are right",
    "negatives_right": "“no” that are right",
}
COLOURS = dict(zip(MEASURES.values(), ("#5c6ada", "#b7791f", "#17998b", "#8595ae"), strict=True))


def pace_words(speed: Speed) -> str:
    """Return in words how fast people are and how long they need to the goal."""
    goal = f"{100 * speed.goal:.0f} % known"
    if speed.missing == 0:
        left = f"The goal of {goal} is reached."
    elif speed.seconds_left is None:
        left = f"{speed.missing:,} cells are missing to the goal of {goal}."
    else:
        left = f"At this rate {duration(speed.seconds_left)} of work to {goal}; pauses are left out."
    rate = f"**{speed.per_minute:.1f}** decisions a minute" if speed.per_minute else "No pace yet"
    each = f" of {speed.cells_per_decision:.1f} cells" if speed.cells_per_decision > 1.05 else ""
    return f"{rate}{each}. {left}"


def curve_plot(curve: pd.DataFrame) -> pd.DataFrame:
    """Return the curve of known cells, beginning a little before the first decision and not at a distant import."""
    times = curve["time"].dt.tz_convert(None)
    if len(times) == 1:
        return pd.DataFrame({"time": [times[0], times[0] + pd.Timedelta(minutes=1)], "known": curve["known"].repeat(2)})
    span = max(0.1 * (times.iloc[-1] - times[1]), pd.Timedelta(minutes=1))
    return curve.assign(time=[max(times[0], times[1] - span), *times[1:]])


def rounds_plot(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of finished runs as ``round``, ``share`` and ``measure``, one row a point."""
    if rounds.empty:
        return pd.DataFrame({"round": [], "share": [], "measure": []})
    done = rounds[rounds["status"] == "finished"].rename(columns=MEASURES)
    done["round"] = done["run"].map(f"{{:0{len(str(done['run'].max()))}d}}".format)
    return done.melt("round", list(MEASURES.values()), "measure", "share").dropna(subset="share")


def rounds_table(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return the runs in words, the newest first."""
    rows = [
        {
            "Round": one.name + (" ◐" if one.is_current else ""),
            "Status": one.status,
            "Began": f"{one.time:%Y-%m-%d %H:%M}",
            "Known": percent(one.known),
            "mAP": "–" if np.isnan(one.map) else f"{one.map:.3f}",
            "Answers after it": f"{one.answers:,}",
            "Accepted": _share(one.accepted, one.accepted + one.rejected),
            "True “yes”": _share(one.positives_right),
            "True “no”": _share(one.negatives_right),
        }
        for one in rounds[::-1].itertuples(index=False, name="Round")
    ]
    return pd.DataFrame(rows or [{"Round": "No run yet: a round is to label, to train, and to look at what comes."}])


def together_table(share: pd.DataFrame) -> Any:
    """Return the table of classes together, the more often the stronger the colour."""
    table = share.map(lambda value: "·" if np.isnan(value) else f"{100 * value:.0f} %")
    tints = share.map(
        lambda value: "" if np.isnan(value) else f"background-color: rgba(92, 106, 218, {0.55 * value:.2f})"
    )
    table.insert(0, "class", share.index)
    tints.insert(0, "class", "")
    return table.style.apply(lambda _: tints, axis=None)


def _share(part: float, whole: float | None = None) -> str:
    if np.isnan(part) or whole == 0:
        return "–"
    return percent(part) if whole is None else f"{percent(part, whole)} of {whole:,}"
