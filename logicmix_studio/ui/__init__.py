"""The studio in the browser."""

from logicmix_studio.ui.server import DEFAULT_HOST, DEFAULT_PORT, build_app, serve

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "build_app", "serve"]
