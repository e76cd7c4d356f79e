from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from datamint_like.exceptions import ValidationError
from datamint_like.imaging import ReadOptions


def halve(array: np.ndarray) -> np.ndarray:
    return array // 2


class Scale:
    def __call__(self, array: np.ndarray) -> np.ndarray:
        return array * 2


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("dtype", "uint16", "'uint8', 'int16'"),
        ("dtype", np.float32, "'float32'"),
        ("dtype", ["int16"], "'int16'"),
        ("intensity", "window", "'dicom-window'"),
        ("intensity", ("window", 40), "center, width"),
        ("intensity", ("window", 40, 0.5), "width of at least 1"),
        ("intensity", ("window", float("nan"), 5), "center, width"),
        ("intensity", ("window", 40, True), "center, width"),
        ("intensity", ("clip", 5, 4), "low <= high"),
        ("intensity", ("clip", "a", 4), "low <= high"),
        ("intensity", (["window"], 1, 4), "callable"),
        ("intensity", None, "callable"),
        ("irregular_spacing", "drop", "'raise' or 'keep'"),
    ],
)
def test_an_option_of_another_form_is_refused_with_the_forms_there_are(option: str, value: object, says: str):
    with pytest.raises(ValidationError, match=says):
        ReadOptions(**{option: value})


def test_a_list_is_taken_as_a_tuple():
    assert ReadOptions(intensity=["window", np.int16(40), 400]) == ReadOptions(intensity=("window", 40.0, 400.0))


@pytest.mark.parametrize("intensity", ["native", "dicom-window", ("window", 40, 400), ("clip", -5, np.inf), halve])
def test_options_pickle(intensity: object):
    options = ReadOptions("keep", 7, "float16", intensity)
    assert pickle.loads(pickle.dumps(options)) == options


def test_the_repr_names_functions_and_says_what_it_does_not_know():
    assert repr(ReadOptions()) == "ReadOptions()"
    assert repr(ReadOptions(intensity=halve)) == f"ReadOptions(intensity={__name__}.halve)"
    assert repr(ReadOptions(intensity=np.abs)) != repr(ReadOptions(intensity=np.sqrt))
    for nameless in (lambda array: array, Scale(), Scale().__call__):
        assert repr(ReadOptions(dtype="int16", intensity=nameless)) == "ReadOptions(dtype='int16', intensity=unknown)"


def test_the_repr_is_the_same_in_every_process():
    script = "from datamint_like.imaging import ReadOptions; import shutil; print(ReadOptions(intensity=shutil.copy))"
    found = {subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout for _ in range(2)}
    assert found == {"ReadOptions(intensity=shutil.copy)\n"}
