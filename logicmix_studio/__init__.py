"""LogicMix Studio: label multi-label images whose labels are incomplete.

``Studio`` is imported when it is first asked for, so that the command line's help answers at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logicmix_studio.errors import StudioError

if TYPE_CHECKING:
    from logicmix_studio.studio import Studio

__version__ = "0.1.0"
__all__ = ["Studio", "StudioError", "__version__"]


def __getattr__(name: str) -> object:
    """Load :class:`Studio` late."""
    if name == "Studio":
        from logicmix_studio.studio import Studio

        return Studio
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
