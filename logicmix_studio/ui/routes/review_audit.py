"""Routes of audits: draw one, answer it blind, read what it says."""

from __future__ import annotations

import zlib
from typing import Any

from fastapi import APIRouter, Depends

from logicmix_studio.review import (
    AuditResult,
    AuditSpec,
    StratumResult,
    band_bounds,
    count_bands,
    reliability_curve,
)
from logicmix_studio.studio import Studio
from logicmix_studio.ui.review_audits import Audit, AuditRoom
from logicmix_studio.ui.review_desk import ReviewDesk
from logicmix_studio.ui.routes.review_models import AuditAnswer, AuditItemsRequest, AuditRequest
from logicmix_studio.ui.security import current_person


def audit_routes(studio: Studio, desk: ReviewDesk, audits: AuditRoom) -> APIRouter:
    """Return the routes below ``/api/review/audits`` and the calibration plot's.

    Args:
        studio: The studio.
        desk: The queues.
        audits: The audits.
    """
    routes = APIRouter()

    @routes.get("/audits")
    def every() -> dict[str, Any]:
        run, _ = studio.current_choice()
        return {
            "run": run,
            "audits": [_summary(audits, number) for number in audits.numbers()],
            "bands": _bands(desk),
        }

    @routes.post("/audits")
    def start(asked: AuditRequest, who: str = Depends(current_person)) -> dict[str, Any]:
        seed = zlib.crc32(asked.id.encode()) if asked.seed is None else asked.seed
        spec = AuditSpec(
            seed=seed,
            per_stratum=asked.per_stratum,
            class_names=tuple(asked.class_names),
            by_class=asked.by_class,
            lowest_confidence=asked.lowest_confidence,
            num_known=asked.num_known,
        )
        return _summary(audits, audits.start(spec, who=who, action_id=asked.id).number)

    @routes.get("/audits/{number}")
    def result(number: int) -> dict[str, Any]:
        strata = audits.result(number).strata if audits.is_finished(number) else ()
        return {**_summary(audits, number), "strata": [_stratum(part) for part in strata]}

    @routes.post("/audits/{number}/items")
    def items(number: int, asked: AuditItemsRequest) -> dict[str, Any]:
        audit = audits.audit(number)
        answered = len(audits.answers(number))
        return {
            "items": audits.next_items(number, asked.want, asked.have),
            "answered": answered,
            "total": len(audit.plan.items),
        }

    @routes.post("/audits/{number}/answer")
    def answer(number: int, asked: AuditAnswer, who: str = Depends(current_person)) -> dict[str, Any]:
        receipt = audits.answer(number, asked.place, asked.said, who=who, action_id=asked.id, ms=asked.ms)
        return {
            "seq": None if receipt.line is None else receipt.line.seq,
            "repeated": receipt.repeated,
            "answered": len(audits.answers(number)),
            "total": len(audits.audit(number).plan.items),
        }

    @routes.post("/audits/{number}/give-up")
    def give_up(number: int) -> dict[str, Any]:
        audits.give_up(number)
        return _summary(audits, number)

    @routes.get("/calibration")
    def calibration() -> dict[str, Any]:
        return _calibration(studio)

    return routes


def _summary(audits: AuditRoom, number: int) -> dict[str, Any]:
    """Return an audit for the list; what its answers say is left out until it is finished."""
    audit: Audit = audits.audit(number)
    answers = audits.answers(number)
    about = {
        "number": number,
        "run": audit.plan.run,
        "who": audit.who,
        "time": audit.time,
        "by_class": audit.plan.by_class,
        "class_names": sorted({item.class_name for item in audit.plan.items if not item.is_planted}),
        "total": len(audit.plan.items),
        "answered": len(answers),
        "complete": len(answers) >= len(audit.plan.items),
        "given_up": audit.given_up,
    }
    if not audits.is_finished(number):
        return about
    result: AuditResult = audits.result(number)
    return {
        **about,
        "checked": sum(part.checked for part in result.strata),
        "right": sum(part.right for part in result.strata),
        "known_checked": result.known_checked,
        "known_right": result.known_right,
    }


def _stratum(part: StratumResult) -> dict[str, Any]:
    low, high = part.stratum.bounds
    return {
        "class": part.stratum.class_name,
        "sign": part.stratum.sign,
        "low": low,
        "high": high,
        "population": part.stratum.population,
        "planned": part.planned,
        "checked": part.checked,
        "right": part.right,
        "unsure": part.unsure,
        "precision": part.precision,
        "lower_bound": part.lower_bound,
        "interval": part.interval,
        "bound": part.bound_kind,
    }


def _bands(desk: ReviewDesk) -> list[dict[str, Any]]:
    """Return how many open cells each sign and band has, for the size of a new audit."""
    coverage = desk.coverage()
    if coverage is None:
        return []
    counts = count_bands(coverage)
    names = desk.studio.class_names
    return [
        {
            "sign": sign,
            "low": band_bounds(band)[0],
            "high": band_bounds(band)[1],
            "classes": {
                name: int(counts[side, column, band])
                for column, name in enumerate(names)
                if counts[side, column, band]
            },
        }
        for side, sign in enumerate((1, -1))
        for band in range(counts.shape[2])
    ]


def _calibration(studio: Studio) -> dict[str, Any]:
    current = studio.current
    if current is None:
        return {"run": None, "bins": [], "error": None, "cells": 0}
    heldout = current.heldout
    curve = reliability_curve(current.scores[heldout], studio.ledger.states[heldout])
    return {
        "run": current.run,
        "cells": int(curve.total.sum()),
        "error": curve.error,
        "ece_before": current.calibration.get("ece_before"),
        "ece_after": current.calibration.get("ece_after"),
        "bins": [
            {"claimed": claimed, "observed": observed, "total": total, "lower": lower, "upper": upper}
            for claimed, observed, total, lower, upper in zip(
                curve.claimed.tolist(),
                curve.observed.tolist(),
                curve.total.tolist(),
                curve.lower.tolist(),
                curve.upper.tolist(),
                strict=True,
            )
        ],
    }
