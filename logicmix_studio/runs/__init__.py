"""Start, watch, pause, cancel, resume and adopt the trainer process. No torch here."""

from logicmix_studio.runs.info import RunInfo
from logicmix_studio.runs.jobs import Jobs
from logicmix_studio.training.device_lock import DeviceLock, locks_folder

__all__ = ["DeviceLock", "Jobs", "RunInfo", "locks_folder"]
