"""The look of the page: theme, style sheets and marks for screen readers."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

_FOLDER = Path(__file__).parent

SCRIPT = (_FOLDER / "page.js").read_text(encoding="utf-8")
STYLE = (_FOLDER / "page.css").read_text(encoding="utf-8")

#: Gradio confines STYLE to what lies inside its container; this is about the container.
HEAD = (_FOLDER / "head.html").read_text(encoding="utf-8")


def theme() -> gr.themes.Base:
    """Return the theme; it uses fonts of the visitor's system, none is fetched."""
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    return gr.themes.Default(
        primary_hue="blue",
        neutral_hue="slate",
        font=fonts,
        font_mono=["ui-monospace", "Consolas", "monospace"],
    ).set(
        # The theme's own grey has a contrast of 2.6 to white; 4.5 is needed.
        body_text_color_subdued="*neutral_500",
        block_info_text_color="*neutral_500",
        link_text_color_dark="*primary_400",
    )
