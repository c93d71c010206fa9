"""hwr reads handwritten names with a Keras CRNN and CTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwr.recognizer import Reading, Recognizer, predict

__version__ = "0.1.0"
__all__ = ["Reading", "Recognizer", "predict"]


def __getattr__(name: str) -> Any:
    """Load the front door when it is first used, so that `import hwr` costs nothing."""
    if name in __all__:
        from hwr import recognizer

        return getattr(recognizer, name)
    raise AttributeError(f"module 'hwr' has no attribute {name!r}")
