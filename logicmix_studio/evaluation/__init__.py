"""Trials against complete labels: what people and models would have done, and how right it was."""

from logicmix_studio.evaluation.annotator import DEFAULT_ERROR_RATE, SimulatedAnnotator

__all__ = ["DEFAULT_ERROR_RATE", "SimulatedAnnotator"]
