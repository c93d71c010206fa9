from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from helpers import TINY, write_word

from hwr.decoding.ctc import greedy_text
from hwr.network.crnn import PRECISIONS, build_model
from hwr.network.ctc_loss import ctc_loss
from hwr.preprocess import prepare
from hwr.spec import COLUMNS_PER_STEP, Spec


@pytest.mark.parametrize("width", [32, 128])
def test_four_columns_make_one_time_step(width: int) -> None:
    logits = build_model(TINY)(np.zeros((3, TINY.height, width, 1), np.float32))
    assert tuple(logits.shape) == (3, width // COLUMNS_PER_STEP, TINY.alphabet.classes)


def test_shipped_network_is_small_and_has_two_recurrent_layers() -> None:
    model = build_model(Spec())
    assert model.count_params() < 4_000_000
    recurrent = [x for x in model.layers if isinstance(x, keras.layers.Bidirectional)]
    assert len(recurrent) == 2


def test_shortcut_reads_the_convolutions_and_shares_all_other_weights() -> None:
    training = build_model(TINY, shortcut=True)
    plain, aside = training(np.zeros((2, TINY.height, 64, 1), np.float32))
    assert plain.shape == aside.shape
    assert len(training.get_weights()) == len(build_model(TINY).get_weights()) + 2


def test_network_memorises_eight_names() -> None:
    """The whole chain learns: drawn names through preparation, network, loss and decoding."""
    names = ["ANNA", "LEO", "IDA", "TOM", "EVA MAY", "PAUL", "O'NEIL", "J-LUC"]
    spec = replace(TINY, filters=(8, 16, 16), features=32, units=32)
    keras.utils.set_random_seed(1)
    images = np.full((8, spec.height, 96, 1), 255, np.float32)
    labels = np.zeros((8, 8), np.int32)
    for row, name in enumerate(names):
        image = prepare(write_word(name), spec).image[:, :96]
        images[row, :, : image.shape[1], 0] = image
        ids = spec.alphabet.encode(name)
        labels[row, : len(ids)] = ids
    model = build_model(spec)
    model.compile(keras.optimizers.AdamW(1e-2), loss=ctc_loss, jit_compile=False)

    def read() -> list[str]:
        return [greedy_text(x, spec.alphabet) for x in model.predict_on_batch(images)]

    assert read() != names
    for _ in range(60):
        for _ in range(10):
            model.train_on_batch(images, labels)
        if read() == names:
            break
    assert read() == names


@pytest.mark.parametrize("precision", PRECISIONS)
def test_precision_is_that_of_the_arithmetic_alone(precision: str) -> None:
    model = build_model(TINY, shortcut=True, precision=precision)
    computed = {x.name: x.compute_dtype for x in model.layers}
    inner = precision.removeprefix("mixed_")
    assert computed["stem"] == computed["lstm2"] == computed["column_norm"] == inner
    outer = "float64" if precision == "float64" else "float32"
    assert computed["logits"] == computed["shortcut"] == computed["ink"] == outer
    assert {keras.backend.standardize_dtype(v.dtype) for v in model.weights} == {outer}
    for logits in model(np.full((1, 16, 32, 1), 255, np.float32)):
        assert keras.backend.standardize_dtype(logits.dtype) == outer
    assert keras.config.dtype_policy().name == "float32"


def test_precision_is_one_of_four() -> None:
    with pytest.raises(ValueError, match=r"one of float32, .*Received: 'float8'"):
        build_model(TINY, precision="float8")


def test_paper_is_nothing_in_float64() -> None:
    """Padding is 0, so paper that is 6e-8 would end where the picture ends."""
    model = build_model(TINY, precision="float64")
    ink = model.get_layer("ink")(np.array([0.0, 255.0]))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(ink), [1.0, 0.0])
