"""Review on arrays: proposals, queues, leases, audits, intervals, thresholds, calibration, conflicts.

Numpy and scipy only; nothing here opens a file or knows a server.
"""

from logicmix_studio.review.audit import AuditItem, AuditPlan, AuditSpec, Stratum, plan_audit
from logicmix_studio.review.audit_score import AuditResult, StratumResult, score_audit
from logicmix_studio.review.bands import BAND_EDGES, band_bounds
from logicmix_studio.review.calibration import (
    Calibration,
    ReliabilityCurve,
    apply_calibration,
    calibrate,
    reliability_curve,
)
from logicmix_studio.review.cell_hash import cell_hash, cell_uniform
from logicmix_studio.review.cells import NO_RUN, CellView
from logicmix_studio.review.conflicts import Conflicts, confident_thresholds, conflict_mask, find_conflicts
from logicmix_studio.review.coverage import Coverage
from logicmix_studio.review.intervals import (
    clopper_pearson,
    clopper_pearson_lower,
    look_level,
    sequential_interval,
    sequential_lower,
)
from logicmix_studio.review.leases import DEFAULT_LEASE_SECONDS, Lease, LeaseTable
from logicmix_studio.review.progress import Pace, minutes_left, pace
from logicmix_studio.review.proposals import (
    DEFAULT_THRESHOLD,
    Changes,
    Thresholds,
    changes,
    confidences,
    count_proposals,
    open_cells,
    propose,
)
from logicmix_studio.review.queue import Queue, build_queue
from logicmix_studio.review.queue_spec import CHANGES, ORDERS, QueueSpec
from logicmix_studio.review.thresholds import (
    Evidence,
    Solution,
    Solved,
    collect_evidence,
    count_bands,
    lower_bounds,
    solve_thresholds,
)
from logicmix_studio.review.usefulness import AnswerGains, answer_gains, usefulness
from logicmix_studio.review.what_if import (
    BlendDifference,
    LabelDifference,
    TrainingSet,
    blend_difference,
    label_difference,
    training_set,
)

__all__ = [
    "BAND_EDGES",
    "CHANGES",
    "DEFAULT_LEASE_SECONDS",
    "DEFAULT_THRESHOLD",
    "NO_RUN",
    "ORDERS",
    "AnswerGains",
    "AuditItem",
    "AuditPlan",
    "AuditResult",
    "AuditSpec",
    "BlendDifference",
    "Calibration",
    "CellView",
    "Changes",
    "Conflicts",
    "Coverage",
    "Evidence",
    "LabelDifference",
    "Lease",
    "LeaseTable",
    "Pace",
    "Queue",
    "QueueSpec",
    "ReliabilityCurve",
    "Solution",
    "Solved",
    "Stratum",
    "StratumResult",
    "Thresholds",
    "TrainingSet",
    "answer_gains",
    "apply_calibration",
    "band_bounds",
    "blend_difference",
    "build_queue",
    "calibrate",
    "cell_hash",
    "cell_uniform",
    "changes",
    "clopper_pearson",
    "clopper_pearson_lower",
    "collect_evidence",
    "confidences",
    "confident_thresholds",
    "conflict_mask",
    "count_bands",
    "count_proposals",
    "find_conflicts",
    "label_difference",
    "look_level",
    "lower_bounds",
    "minutes_left",
    "open_cells",
    "pace",
    "plan_audit",
    "propose",
    "reliability_curve",
    "score_audit",
    "sequential_interval",
    "sequential_lower",
    "solve_thresholds",
    "training_set",
    "usefulness",
]
