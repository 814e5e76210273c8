"""Start, watch, pause, cancel, resume and adopt the trainer process. No torch here."""

from logicmix_studio.runs.info import RunInfo
from logicmix_studio.runs.jobs import Jobs

__all__ = ["Jobs", "RunInfo"]
