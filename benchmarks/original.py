"""The network of the project this one started from, built from its published architecture.

Input 64 x 256, three convolutions of 32, 64 and 128 filters, a dense layer of 64, two
bidirectional LSTM layers of 256 units, softmax. It stands here to be timed, untrained: its
weights are not published.
"""

from __future__ import annotations

from typing import Any

import cv2
import keras
import numpy as np
from keras import layers

WIDTH, HEIGHT = 256, 64
STEPS = WIDTH // 4
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ-' "


def build() -> keras.Model:
    """Return the network: (B, 256, 64, 1) float32 in 0..1 -> (B, 64, 30) probabilities."""
    inputs = keras.Input((WIDTH, HEIGHT, 1))
    x = inputs
    for filters, pool, dropout in ((32, (2, 2), 0.0), (64, (2, 2), 0.3), (128, (1, 2), 0.3)):
        x = layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_normal")(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(pool)(x)
        x = layers.Dropout(dropout)(x)
    x = layers.Reshape((STEPS, -1))(x)  # B x 64 x 1024
    x = layers.Dense(64, activation="relu", kernel_initializer="he_normal")(x)
    for _ in range(2):
        x = layers.Bidirectional(layers.LSTM(256, return_sequences=True))(x)
    return keras.Model(inputs, layers.Dense(len(ALPHABET) + 1, activation="softmax")(x))


def prepare(path: str) -> np.ndarray:
    """Return a picture as that network reads it: cut or padded to 64 x 256, turned, 0..1."""
    image = np.asarray(cv2.imread(path, cv2.IMREAD_GRAYSCALE))[:HEIGHT, :WIDTH]
    canvas = np.full((HEIGHT, WIDTH), 255, np.uint8)
    canvas[: image.shape[0], : image.shape[1]] = image
    return np.asarray(cv2.rotate(canvas, cv2.ROTATE_90_CLOCKWISE) / 255, np.float32)[..., None]


def decode(probabilities: Any) -> list[str]:
    """Return the greedy text of each row of (B, T, classes); the last class is the blank."""
    texts = []
    for path in np.asarray(probabilities).argmax(axis=2):
        kept = path[np.flatnonzero(np.diff(path, prepend=-1))]
        texts.append("".join(ALPHABET[i] for i in kept if i < len(ALPHABET)))
    return texts
