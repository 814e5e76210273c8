"""Gradio's theme in our colours and with the system's own fonts: nothing is fetched from elsewhere."""

from __future__ import annotations

from typing import Any, Final

FONT: Final = (
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "Liberation Sans",
    "sans-serif",
)
MONO: Final = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Liberation Mono", "monospace")


def make_theme() -> Any:
    """Return the theme. Gradio is imported here, late."""
    from gradio.themes import Base, colors, sizes  # noqa: PLC0415  # costs six seconds of CPU

    accent = colors.Color(
        name="logicmix",
        c50="#eef0fd", c100="#e0e4fb", c200="#c5cbf7", c300="#a6b0f2", c400="#7f8ce8", c500="#5c6ada",
        c600="#4553c4", c700="#3844a3", c800="#303a84", c900="#2b3469", c950="#1b2041",
    )  # fmt: skip
    theme = Base(
        primary_hue=accent,
        secondary_hue=accent,
        neutral_hue=colors.slate,
        radius_size=sizes.radius_sm,
        spacing_size=sizes.spacing_sm,
        text_size=sizes.text_sm,
        font=FONT,
        font_mono=MONO,
    )
    tokens = {
        "body_background_fill": "var(--lm-bg)",
        "body_text_color": "var(--lm-text)",
        "body_text_color_subdued": "var(--lm-text-2)",
        "background_fill_primary": "var(--lm-surface)",
        "background_fill_secondary": "var(--lm-surface-2)",
        "border_color_primary": "var(--lm-line)",
        "block_background_fill": "transparent",
        "block_border_width": "0px",
        "block_shadow": "none",
        "block_padding": "0px",
    }
    both = {
        f"{name}_dark": value for name, value in tokens.items() if not name.endswith(("width", "padding"))
    }
    return theme.set(**tokens, **both)
