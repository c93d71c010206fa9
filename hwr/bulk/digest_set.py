"""The seen: which pictures were met already, in 16 bytes each."""

from __future__ import annotations

import hashlib

import numpy as np

#: Bytes of a digest. With 16, two of a billion pictures share one with a chance below 1e-20.
SIZE = 16

#: Digests kept in a set, which takes five times the memory, before they are sorted in.
RECENT = 65_536


class Seen:
    """A set of pictures, each known by its source and its entry, that fits a million in 16 MB."""

    def __init__(self) -> None:
        self._sorted = np.zeros(0, f"S{SIZE}")
        self._recent: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._sorted) + len(self._recent)

    def add(self, source: str, entry: str) -> bool:
        """Add a picture; return False where it is there already."""
        key = f"{source}\0{entry}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(key, digest_size=SIZE).digest()
        if digest in self._recent:
            return False
        at = int(self._sorted.searchsorted(np.bytes_(digest)))
        # NumPy drops zeros at the end of what it gives back.
        if at < len(self._sorted) and self._sorted[at].ljust(SIZE, b"\0") == digest:
            return False
        self._recent.add(digest)
        if len(self._recent) > max(RECENT, len(self._sorted) // 8):
            self._merge()
        return True

    def _merge(self) -> None:
        recent = np.array(list(self._recent), self._sorted.dtype)
        self._sorted = np.sort(np.concatenate((self._sorted, recent)))
        self._recent.clear()
