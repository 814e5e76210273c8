"""Gradio's theme in our colours and with the system's own fonts: nothing is fetched from elsewhere."""

from __future__ import annotations

from typing import Any, Final

from gradio.themes import Base, colors, sizes

FONT: Final = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Liberation Sans", "sans-serif")
MONO: Final = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Liberation Mono", "monospace")
STATE_COLOURS: Final = {"positive": "#17998b", "negative": "#8595ae", "pseudo-label": "#e5a42c", "unknown": "#d5d9e0"}
"""Of the four states, in plots."""
SURFACES: Final = {
    "body_background_fill": ("#f5f6f9", "#12151b"),
    "body_text_color": ("#191e29", "#e8ebf1"),
    "body_text_color_subdued": ("#535c6c", "#a5aebd"),
    "background_fill_primary": ("#ffffff", "#1a1e26"),
    "background_fill_secondary": ("#eef0f4", "#232833"),
    "border_color_primary": ("#dbdfe7", "#2f3643"),
    "block_background_fill": ("#ffffff", "#1a1e26"),
}
"""In the light and in the dark."""


def make_theme() -> Any:
    """Return the theme: light and dark, one accent, dense."""
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
    return theme.set(
        **{name: light for name, (light, _) in SURFACES.items()},
        **{f"{name}_dark": dark for name, (_, dark) in SURFACES.items()},
        block_shadow="0 1px 2px rgb(24 30 42 / 6%)",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_text_color="*body_text_color_subdued",
        block_title_text_color="*body_text_color_subdued",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_text_color="#ffffff",
    )
