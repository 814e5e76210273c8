"""Routes of thresholds and bulk acceptance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Depends, Query

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import POSITIVE
from logicmix_studio.review import Evidence, Solved, Thresholds
from logicmix_studio.studio import Studio
from logicmix_studio.ui.review_audits import AuditRoom
from logicmix_studio.ui.review_desk import ReviewDesk
from logicmix_studio.ui.review_thresholds import Part, PartPlan, ThresholdRoom, curve_of
from logicmix_studio.ui.routes.review_models import BulkRequest, Group, ThresholdsRequest
from logicmix_studio.ui.security import current_person


def threshold_routes(studio: Studio, desk: ReviewDesk, audits: AuditRoom) -> APIRouter:
    """Return the routes of thresholds and bulks.

    Args:
        studio: The studio.
        desk: The queues.
        audits: The audits.
    """
    routes = APIRouter()
    room = ThresholdRoom(studio, desk, audits)

    @routes.get("/thresholds")
    def solve(target: float = Query(default=0.98, gt=0.0, lt=1.0)) -> dict[str, Any]:
        return _solved(studio, desk, room, target)

    @routes.post("/thresholds")
    def change(asked: ThresholdsRequest) -> dict[str, Any]:
        thresholds = studio.thresholds
        for group in asked.groups:
            thresholds = thresholds.replace(_column(studio, group.class_name), group.sign, group.threshold)
        studio.settings.update({"thresholds": thresholds.to_json(studio.class_names)})
        return {"changed": len(asked.groups)}

    @routes.get("/coverage")
    def coverage() -> dict[str, Any]:
        found = desk.coverage()
        if found is None:
            return {"thresholds": [], "positive": [], "negative": []}
        return curve_of(found, studio.table.num_classes)

    @routes.post("/bulk/preview")
    def preview(asked: BulkRequest) -> dict[str, Any]:
        plans = room.plan(_parts(asked.groups), asked.target)
        return {
            "total": sum(len(plan.cells) for plan in plans),
            "groups": [_plan(desk, plan) for plan in plans],
        }

    @routes.post("/bulk")
    def bulk(asked: BulkRequest, who: str = Depends(current_person)) -> dict[str, Any]:
        receipt, _ = room.accept(
            _parts(asked.groups),
            asked.target,
            who=who,
            action_id=asked.id,
            expected=asked.expected,
            override=asked.override,
        )
        line = receipt.line
        return {
            "seq": None if line is None else line.seq,
            "written": 0 if line is None else len(line.cells),
            "repeated": receipt.repeated,
            "skipped": len(receipt.skipped),
        }

    return routes


def _solved(studio: Studio, desk: ReviewDesk, room: ThresholdRoom, target: float) -> dict[str, Any]:
    solution, evidence, coverage = room.solve(target), room.evidence(), desk.coverage()
    if solution is None or evidence is None or coverage is None:
        return {"run": None, "target": target, "parts": []}
    run, _ = studio.current_choice()
    thresholds = studio.thresholds
    positive, negative = coverage.count(thresholds)
    counts = (positive.tolist(), negative.tolist())
    return {
        "run": run,
        "target": target,
        "parts": [_part(studio, part, evidence, thresholds, counts) for part in solution.parts],
    }


def _part(
    studio: Studio,
    part: Solved,
    evidence: Evidence,
    thresholds: Thresholds,
    counts: tuple[list[int], list[int]],
) -> dict[str, Any]:
    column = studio.ledger.column_of[part.class_name]
    side = 0 if part.sign == POSITIVE else 1
    now = thresholds.positive if part.sign == POSITIVE else thresholds.negative
    return {
        "class": part.class_name,
        "sign": part.sign,
        "now": float(now[column]),
        "covered_now": counts[side][column],
        "threshold": part.threshold,
        "cells": part.num_cells,
        "claims": part.num_claims,
        "lower_bound": float(part.lower_bound),
        "audits_needed": part.audits_needed,
        "checked": int(evidence.total[side, column].sum()),
        "right": int(evidence.right[side, column].sum()),
        "message": part.message(),
    }


def _plan(desk: ReviewDesk, plan: PartPlan) -> dict[str, Any]:
    return {
        "class": plan.part.class_name,
        "sign": plan.part.sign,
        "threshold": plan.part.threshold,
        "cells": len(plan.cells),
        "lower_bound": float(plan.lower_bound),
        "covered": plan.is_covered,
        "reason": plan.reason,
        "examples": [desk.names(int(cell))[0] for cell in plan.cells[:6]],
    }


def _parts(groups: Sequence[Group]) -> list[Part]:
    return [Part(group.class_name, group.sign, group.threshold) for group in groups]


def _column(studio: Studio, class_name: str) -> int:
    column = studio.ledger.column_of.get(class_name)
    if column is None:
        raise StudioError(f"there is no class {class_name!r}", "reload the page")
    return column
