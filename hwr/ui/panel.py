"""The result panel: one for all tabs, with the same element ids for every reading."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import gradio as gr

from hwr.decoding.lexicon import NOT_LISTED, LexiconError
from hwr.letter import percent, whole_percent
from hwr.reading import Reading
from hwr.ui.options import Expected, expecting
from hwr.ui.server.pictures import picture_file

#: Class names of the verdicts in the style sheet.
_VERDICTS = {"sure": "sure", "please check": "check", "nothing written": "blank"}

#: An alternative of a letter is named from this probability on.
DOUBT = 0.05

#: Settings of every event that reads a picture for the page.
_READING = {
    "trigger_mode": "always_last",
    "concurrency_id": "read",
    "show_progress": "hidden",
    "api_visibility": "private",
}


#: A function that returns the values of its components, and a list of components.
Show = Callable[..., list[Any]]
Components = Sequence[Any]


class Panel:
    """The components that show a reading, and their values for each thing there is to show."""

    def __init__(self, tab: str, expected: Expected) -> None:
        """Lay out all but `steps` and `timeline`; `tab` is the name of the tab first in front."""
        self.expected = expected
        self._front = gr.State(tab)
        # One component for all text: each changed output makes the pad send its picture again
        # (Gradio 6.31), which delays the next reading.
        self.headline = gr.HTML(_waiting(), elem_id="headline")
        self.letters = gr.HighlightedText(
            label="Letters, each with its probability by the ink alone",
            elem_id="letters",
            combine_adjacent=False,
            show_legend=False,
            color_map=_letter_colours(),
            interactive=False,
        )
        self.candidates = gr.Label(
            label="What it may say", elem_id="candidates", num_top_classes=5, show_heading=False
        )
        self.timeline = shown_picture(
            "Letters above their ink, and what the network saw",
            "timeline",
            "the letters of the reading above their ink",
            render=False,
        )
        self.steps = gr.Gallery(
            label="From the picture to what the network reads",
            elem_id="steps",
            columns=3,
            height="auto",
            object_fit="contain",
            render=False,
            format="png",
            interactive=False,
            buttons=["fullscreen"],
        )

        #: In the order of the values that the methods below return.
        self.outputs = [self.headline, self.letters, self.candidates, self.timeline, self.steps]

    def follow(
        self,
        name: str,
        triggers: Components,
        show: Show,
        inputs: Components,
        own: Components = (),
        **settings: Any,
    ) -> None:
        """Fill the panel, after the tab's `own` components, whenever one of `triggers` fires.

        While the tab called `name` is not in front, nothing happens: uploads end late, and the
        pad fires events when it is laid out again, long after its tab was left.
        """
        gr.on(triggers, **self._event(name, show, inputs, own), **settings)

    def turn_to(
        self,
        name: str,
        tab: gr.Tab,
        show: Show,
        inputs: Components,
        own: Components = (),
        **settings: Any,
    ) -> None:
        """Fill the panel when the tab comes to the front, and when options change while it is."""

        def show_tab(lexicon: str, language_model: str, *values: Any) -> list[Any]:
            return [name, *_shown(show, values, lexicon, language_model, len(own))]

        # First in the browser, so that the other tab's reading is gone at once.
        tab.select(None, None, self.outputs, js=_EMPTY_SCRIPT)
        tab.select(
            show_tab,
            [*self.expected.inputs, *inputs],
            [self._front, *own, *self.outputs],
            **_READING,
            **settings,
        )
        event = self._event(name, show, inputs, own) | settings
        gr.on(self.expected.changes, **event)
        self.expected.filled.success(**event)

    def _event(self, name: str, show: Show, inputs: Components, own: Components) -> dict[str, Any]:
        """Return the settings of an event that counts only while its tab is in front."""

        def show_in_front(front: str, lexicon: str, language_model: str, *values: Any) -> Any:
            if front != name:
                return gr.skip()
            return _shown(show, values, lexicon, language_model, len(own))

        return {
            "fn": show_in_front,
            "inputs": [self._front, *self.expected.inputs, *inputs],
            "outputs": [*own, *self.outputs],
            **_READING,
        }

    @staticmethod
    def nothing() -> list[Any]:
        """Return the values of a panel before anything was read."""
        return [_waiting(), None, None, None, None]

    @staticmethod
    def refusal(message: str) -> list[Any]:
        """Return the values that say in one sentence why there is no reading."""
        return [_headline(message=f'<p class="refusal">{escape(message)}</p>'), *[None] * 4]

    @staticmethod
    def result(reading: Reading) -> list[Any]:
        """Return the values that show `reading`."""
        kind = _VERDICTS[reading.verdict]
        confidence = f"{percent(reading.confidence)} confident" if reading.text else ""
        notes = "".join(f'<p class="note">{escape(note)}</p>' for note in reading.notes)
        candidates = {
            c.text: c.probability
            for c in reversed(reading.candidates)
            if c.text and whole_percent(c.probability)
        }
        if reading.absent is not None and not reading.listed:
            # The text is only a guess at how the missing name is spelt.
            candidates.pop(reading.text, None)
            candidates[NOT_LISTED] = reading.absent
        return [
            _headline(
                name=escape(reading.text),
                verdict=f'<span class="badge {kind}">{escape(reading.verdict)}</span>',
                confidence=escape(confidence),
                time=f"{reading.milliseconds:.0f} ms",
                message=_absence(reading) + _doubts(reading) + notes,
            ),
            [(_visible(x.character), percent(x.probability)) for x in reading.letters] or None,
            candidates or None,
            picture_file(reading.draw_timeline()) if reading.steps and reading.letters else None,
            [
                (picture_file(step.image), f"{number}. {step.name}")
                for number, step in enumerate(reading.steps, start=1)
            ],
        ]


def button(label: str, elem_id: str, **settings: Any) -> gr.Button:
    """Return a button of medium size."""
    return gr.Button(label, elem_id=elem_id, size="md", **settings)


def shown_picture(label: str, elem_id: str, alt_text: str, **settings: Any) -> gr.Image:
    """Return a picture that visitors can enlarge, but not change."""
    return gr.Image(
        label=label,
        elem_id=elem_id,
        alt_text=alt_text,
        interactive=False,
        image_mode=None,
        format="png",
        buttons=["fullscreen"],
        **settings,
    )


def first_step(reading: Reading) -> str | None:
    """Return the path of the picture as it was loaded, in grey."""
    return picture_file(reading.steps[0].image) if reading.steps else None


def _shown(
    show: Show, values: Components, lexicon: str, language_model: str, own: int
) -> list[Any]:
    """Return what `show` returns with these options; a lexicon that cannot be used is refused."""
    try:
        with expecting(lexicon, language_model):
            return show(*values)
    except LexiconError as error:
        return [*[gr.skip()] * own, *Panel.refusal(str(error))]


def _headline(
    name: str = "", verdict: str = "", confidence: str = "", time: str = "", message: str = ""
) -> str:
    """Return the text part of the panel; the arguments are HTML, escaped where they must be."""
    return (
        f'<div id="reading">{name}</div>'
        f'<div id="certainty"><span id="verdict">{verdict}</span>'
        f'<span id="confidence">{confidence}</span><span id="time">{time}</span></div>'
        f'<div id="message">{message}</div>'
    )


def _absence(reading: Reading) -> str:
    """Return a sentence in HTML where the name is probably not one of those expected."""
    if reading.absent is None or reading.listed:
        return ""
    return (
        f'<p class="note" id="absent">Probably {NOT_LISTED} of expected names '
        f"({percent(reading.absent)}).</p>"
    )


def _doubts(reading: Reading) -> str:
    """Return in HTML what the doubtful letters may be instead."""
    doubts = []
    for number, letter in enumerate(reading.letters, start=1):
        others = [
            f"{_visible(character) or 'no letter'} {percent(probability)}"
            for character, probability in letter.alternatives[:2]
            if probability >= DOUBT
        ]
        if others:
            doubts.append(f"{number}. {_visible(letter.character)}, or {' or '.join(others)}")
    if not doubts:
        return ""
    message = f"Letters in doubt, by the ink alone: {'; '.join(doubts)}"
    return f'<p class="note" id="alternatives">{escape(message)}</p>'


def _visible(character: str) -> str:
    """Return a character as it is shown; a space is drawn as an open box."""
    return character.replace(" ", "\N{OPEN BOX}")


def _waiting() -> str:
    return _headline(message='<p class="hint">The reading appears here.</p>')


def _letter_colours() -> dict[str, str]:
    """Return a colour for each text of `percent`: red, amber from 60 %, green from 90 % on."""
    texts = {percent(whole / 100): whole for whole in range(101)}
    return {
        text: "#15803d" if whole >= 90 else "#b45309" if whole >= 60 else "#b91c1c"
        for text, whole in texts.items()
    }


#: What `Panel.nothing` does, in JavaScript. An empty gr.Label is {} in the browser; null
#: breaks it (Gradio 6.31).
_EMPTY_SCRIPT = f"() => [{json.dumps(_waiting())}, null, {{}}, null, null]"
