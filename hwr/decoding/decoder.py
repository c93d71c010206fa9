"""The decoder: from the network's logits to a name, how sure it is, and what else it may be."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import numpy as np

from hwr.alphabet import Alphabet
from hwr.arrays import Floats, Grey
from hwr.decoding.alignment import place
from hwr.decoding.beam import WIDTH, beam
from hwr.decoding.confidence import DecodingParameters
from hwr.decoding.ctc import Condensed, greedy_text, log_probability, log_softmax
from hwr.decoding.language_model import LANGUAGE_MODEL, LanguageModel
from hwr.decoding.lexicon import LISTED, Lexicon
from hwr.letter import Candidate, Letter, Timeline

#: Candidates that a reading shows.
SHOWN = 5

#: A language model, on, off, or as the model folder says.
LanguageModelChoice = LanguageModel | bool | Literal["auto"]


@dataclass(frozen=True)
class Decoding:
    """What logits say.

    Attributes:
        text: the name; of a lexicon, as it is spelt there.
        confidence: probability that `text` is right, 0..1.
        letters: above their ink, with alternatives.
        candidates: the likeliest texts, best first; the first is `text`.
        absent: where a lexicon was given, the probability that the name is not on it.
    """

    text: str
    confidence: float
    letters: tuple[Letter, ...]
    candidates: tuple[Candidate, ...]
    absent: float | None = None


@dataclass(frozen=True)
class Decoder:
    """Decodes the logits of one network."""

    alphabet: Alphabet
    parameters: DecodingParameters = field(default_factory=DecodingParameters)
    width: int = WIDTH

    def decode(
        self,
        logits: Floats,
        image: Grey | None = None,
        *,
        lexicon: Lexicon | None = None,
        language_model: LanguageModelChoice = "auto",
        listed: float = LISTED,
        greedy: bool = False,
    ) -> Decoding:
        """Return the likeliest name, by a beam search.

        Args:
            logits: (T, C).
            image: (H, W) uint8 prepared image before padding, to place the letters on; without
                it there are no letters, which saves half of the time.
            lexicon: names that can occur. What it says is weighed against the name not being on
                it; if that is likelier, the answer is what the picture says without the lexicon.
            language_model: soften the reading towards what looks like a name. Not with a lexicon.
            listed: probability, before looking, that the name is on the lexicon.
            greedy: take the text of the best path instead, whatever lexicon and language model say.
        """
        steps = Condensed.of(logits)
        if greedy:
            candidates = self._candidates(steps, None)
            text = greedy_text(logits, self.alphabet).strip()
            found = [c for c in candidates if c.text == text]
            chance = np.exp(log_probability(steps.scores, self.alphabet.encode(text)))
            first = found[0] if found else Candidate(text, float(chance))
            return self._free(
                steps,
                image,
                [first, *(c for c in candidates if c.text != text)],
                language_model=False,
            )
        if lexicon is not None and lexicon.alphabet != self.alphabet:
            raise ValueError(
                "The lexicon was made for another alphabet; make it with that of the model."
            )
        chosen = None if lexicon is not None else self._language_model(language_model)
        candidates = self._candidates(steps, chosen)
        free = self._free(steps, image, candidates, language_model=chosen is not None)
        if lexicon is None:
            return free
        match = lexicon.match(
            steps.scores, candidates, self.parameters.evidence, listed=listed, count=SHOWN
        )
        if not match.listed:
            others = Candidate(free.text, match.absent * free.confidence)
            ranked = (others, *match.candidates)[:SHOWN]
            return Decoding(free.text, others.probability, free.letters, ranked, match.absent)
        best = match.candidates[0]
        letters = self._letters(Condensed.whole(logits), match.texts[0], image)
        return Decoding(best.text, best.probability, letters, match.candidates, match.absent)

    def _candidates(
        self, steps: Condensed, language_model: LanguageModel | None
    ) -> list[Candidate]:
        """Return what the beam finds, without spaces at the ends: they come from wide margins."""
        fused = None
        if language_model is not None:
            fused = language_model.fused(self.parameters.weight, self.parameters.reward)
        chances: dict[str, float] = {}
        for candidate in beam(steps.scores, self.alphabet, self.width, fused):
            text = candidate.text.strip()
            chances[text] = chances.get(text, 0.0) + candidate.probability
        ranked = sorted(chances.items(), key=lambda item: -item[1])
        return [Candidate(text, min(1.0, chance)) for text, chance in ranked]

    def _free(
        self,
        steps: Condensed,
        image: Grey | None,
        candidates: list[Candidate],
        *,
        language_model: bool,
    ) -> Decoding:
        """Return the first candidate as the answer, with a calibrated probability."""
        letters = self._letters(steps, candidates[0].text, image)
        sure = self.parameters.of(candidates, language_model=language_model)
        return Decoding(candidates[0].text, sure, letters, _calibrated(candidates, sure)[:SHOWN])

    def _letters(self, steps: Condensed, text: str, image: Grey | None) -> tuple[Letter, ...]:
        if image is None:
            return ()
        ids = self.alphabet.encode(text)
        return tuple(place(steps, ids, self.alphabet, image, cut=self.parameters.cut))

    def _language_model(self, choice: LanguageModelChoice) -> LanguageModel | None:
        """Return the language model to use, or None.

        Raises:
            ValueError: a language model is asked for that has another alphabet.
            hwr.decoding.language_model.LanguageModelError: the language model that comes with the
            project cannot be used.
        """
        if choice is False or (choice == "auto" and not self.parameters.language_model):
            return None
        language_model = choice if isinstance(choice, LanguageModel) else _default_language_model()
        if language_model.alphabet == self.alphabet:
            return language_model
        if choice == "auto":
            return None
        raise ValueError(
            f"The language model writes {language_model.alphabet.characters!r}, the model "
            f"{self.alphabet.characters!r}; make one with `hwr language-model` or read without."
        )


@cache
def _default_language_model() -> LanguageModel:
    return LanguageModel.load(LANGUAGE_MODEL)


def timeline(logits: Floats, alphabet: Alphabet) -> Timeline:
    """Return the timeline of `logits`, (T, C)."""
    return Timeline(alphabet.characters, np.exp(log_softmax(logits)).astype(np.float32))


def _calibrated(candidates: list[Candidate], sure: float) -> tuple[Candidate, ...]:
    """Return candidates of which the first has the probability `sure`.

    The others share out what is left in proportion to what they had.
    """
    first, *others = candidates
    scale = (1 - sure) / max(1 - first.probability, 1e-12)
    # Where the beam found little else, rounding may make the others too likely.
    rest = [Candidate(c.text, min(sure, scale * c.probability)) for c in others]
    return Candidate(first.text, sure), *rest
