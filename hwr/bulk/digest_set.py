"""Set of 16-byte image digests."""

from __future__ import annotations

import hashlib

import numpy as np

#: Bytes of a digest: among a billion images, two share one with a probability below 1e-20.
SIZE = 16

#: Digests kept in a Python set, of five times the memory, before they are merged into the array.
RECENT = 65_536


class Seen:
    """Images known by source and entry; a million take 16 MB."""

    def __init__(self) -> None:
        self._sorted = np.zeros(0, f"S{SIZE}")
        self._recent: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._sorted) + len(self._recent)

    def add(self, source: str, entry: str) -> bool:
        """Add an image; return whether it was new."""
        key = f"{source}\0{entry}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(key, digest_size=SIZE).digest()
        if digest in self._recent:
            return False
        at = int(self._sorted.searchsorted(np.bytes_(digest)))
        # NumPy strips trailing zeros from the values that it returns.
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
