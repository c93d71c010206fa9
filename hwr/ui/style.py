"""The look of the page: theme, style sheet and the marks for screen readers."""

from __future__ import annotations

import gradio as gr

#: Runs once in the browser. Results are announced to screen readers as they change, and what
#: Gradio 6.31 leaves without a name or a role gets one, whenever it appears.
SCRIPT = """
() => {
  const mark = () => {
    for (const id of ["headline", "sample-label", "batch-status"]) {
      for (const text of document.querySelectorAll(`#${id} .prose:not([aria-live])`)) {
        text.setAttribute("aria-live", "polite");
      }
    }
    for (const lock of document.querySelectorAll('[aria-label="Static column"]:not([role])')) {
      lock.setAttribute("role", "img");
    }
    for (const button of document.querySelectorAll('[aria-label="common.upload"]')) {
      // A button around the button that does it.
      button.setAttribute("aria-label", "Add files");
      button.setAttribute("role", "group");
      button.setAttribute("tabindex", "-1");
    }
    const unnamed = "button.gallery-item:not([aria-label]):has(img)";
    for (const item of document.querySelectorAll(unnamed)) {
      const number = [...item.parentNode.children].indexOf(item) + 1;
      item.setAttribute("aria-label", `Example ${number}`);
    }
  };
  let asked = false;
  new MutationObserver(() => {
    if (!asked) {
      asked = true;
      requestAnimationFrame(() => { asked = false; mark(); });
    }
  }).observe(document.body, { childList: true, subtree: true });
  mark();
}
"""

#: Gradio confines STYLE to what lies inside its container; this is about the container.
HEAD = """
<style>
.gradio-container {
  width: 100%; min-width: 0 !important; max-width: 1280px !important; margin: 0 auto !important;
}
/* Wide tables scroll, instead of widening the page. */
.gradio-container :is(main, main > .column, .tabs, .tabitem, .tabitem > .column) { min-width: 0; }
footer .divider { display: none !important; }
@media (max-width: 640px) {
  .gradio-container > .main { padding-left: 10px !important; padding-right: 10px !important; }
}
</style>
"""

STYLE = """
#title h1 { margin: 0.2rem 0 0; font-size: 1.6rem; }
#title p, .hint, .hint p, #about { color: var(--body-text-color-subdued); }
.hint, .hint p { margin: 0; font-size: var(--text-sm); }

#headline {
  padding: 0.9rem 1.1rem; border: 1px solid var(--border-color-primary);
  border-radius: var(--block-radius); background: var(--block-background-fill);
}
/* Gradio keeps a hidden clock in here that screen readers would read aloud. */
#headline [data-testid="status-tracker"], #sample-label [data-testid="status-tracker"] {
  display: none;
}
#headline .prose { max-width: none; }
#reading {
  font-size: clamp(1.9rem, 5vw, 2.7rem); line-height: 1.25; font-weight: 600;
  letter-spacing: 0.04em; overflow-wrap: anywhere; user-select: text; color: var(--body-text-color);
}
#certainty {
  display: flex; flex-wrap: wrap; align-items: center; gap: 0.4rem 0.9rem;
  min-height: 2rem; margin-top: 0.3rem;
}
#time { color: var(--body-text-color-subdued); font-size: var(--text-sm); }
.badge {
  display: inline-block; padding: 0.1rem 0.6rem; border-radius: 1rem; font-weight: 600;
  border: 1px solid currentColor; white-space: nowrap;
}
.badge.sure { color: #15803d; }
.badge.check { color: #b45309; }
.badge.wrong { color: #b91c1c; }
.badge.blank { color: var(--body-text-color-subdued); }
.dark .badge.sure { color: #4ade80; }
.dark .badge.check { color: #fbbf24; }
.dark .badge.wrong { color: #f87171; }
#reading:empty, #certainty:has(#verdict:empty) { display: none; }
.note, .refusal { margin: 0.3rem 0 0; }
.refusal { font-weight: 600; }
#sample-label .label { letter-spacing: 0.03em; user-select: text; overflow-wrap: anywhere; }
#sample-label p { margin: 0.2rem 0; }

:is(#model-card, #model-figures) table {
  display: block; overflow-x: auto; border: none; padding: 0;
}
:is(#model-card, #model-figures) :is(td, th) { overflow-wrap: normal; word-break: normal; }
#batch-status p { margin: 0.2rem 0; }
/* The Model tab has nothing to read, so it takes the whole width. */
#page-columns:has(#tab-model:not([style*="none"])) > #panel { display: none; }

/* Parts of the panel that have nothing to show take no room. */
#letters:has(.empty), #candidates:has(.empty), #steps:has(.empty), #timeline:has(.empty) {
  display: none;
}
/* The caption lies above the letters, not on them. */
#timeline { padding-top: 2rem !important; }
#letters .textspan, #letters .text { color: var(--body-text-color); font-size: var(--text-lg); }

:is(#examples, #sample-examples) .gallery {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(120px, 1fr)); gap: 0.4rem;
}
:is(#examples, #sample-examples) .gallery :is(button, .container, img) {
  width: 100%; max-width: none; height: 44px; max-height: none;
}
:is(#examples, #sample-examples) img { object-fit: contain; background: white; }

/* Pictures of names are wide and low; captions stand below them, not on the ink. */
#steps .gallery-container, #steps .grid-wrap { height: auto; min-height: 0; max-height: none; }
#steps .grid-container { grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
#steps .grid-container.pt-6 { padding-top: 1.9rem; }
#steps .thumbnail-item { display: flex; flex-direction: column; aspect-ratio: auto; height: auto; }
#steps .thumbnail-item img { height: 72px; object-fit: contain; }
#steps .caption-label { position: static; max-width: 100%; border: none; text-align: left; }

/* A step that was clicked is large. */
#steps .gallery-container:has(.preview) { min-height: 360px; }
/* Beside the field, not its label. */
#batch-accept { align-self: flex-end; margin-bottom: 0.85rem; }

@media (max-width: 640px) {
  /* All five tabs in one row. */
  #inputs .tab-container button { padding-left: 0.45rem; padding-right: 0.45rem; }
  /* All columns in sight. */
  #model-figures :is(td, th) { padding: 0.35rem 0.3rem; font-size: 0.8rem; }
}
"""


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
