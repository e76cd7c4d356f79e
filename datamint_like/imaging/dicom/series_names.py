"""File names of the resources of one DICOM series: told apart by what the headers say, else by a number."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from datamint_like.imaging.dicom.series import Series
from datamint_like.imaging.types import HeaderFacts

#: What a code string or number of a header may be in a file name; anything else stays out of it.
_WORD = re.compile(r"[A-Z0-9_. ]{1,16}")
_PLANES = {"R": "sagittal", "L": "sagittal", "A": "coronal", "P": "coronal", "S": "axial", "I": "axial"}


def distinct_names(made: Sequence[tuple[Series, HeaderFacts]]) -> list[str]:
    """A file name for each series that files were made to.

    Where one Series Instance UID makes several of the same name, what differs is behind it: image type, plane,
    acquisition, time point or echo, such as `series_3_20files_M.dcm` and `series_3_20files_P.dcm`; a number where
    that does not tell them apart. The order of the files does not matter.
    """
    names = [series.filename for series, _ in made]
    alike: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, (series, facts) in enumerate(made):
        if facts.series_uid and len(series.files) > 1:
            alike[facts.series_uid, names[index]].append(index)
    for (_, name), indices in alike.items():
        if len(indices) > 1:
            indices.sort(key=lambda index: _first_of(made[index][0]))
            for index, suffix in zip(indices, _suffixes([made[index] for index in indices]), strict=True):
                names[index] = f"{name.removesuffix('.dcm')}_{suffix}.dcm"
    return names


def _first_of(series: Series) -> tuple[tuple[int, int], str]:
    """What orders resources of one series, wherever their files lie."""
    return min((file.frame.instance, file.instance_uid) for file in series.files)


def _suffixes(made: Sequence[tuple[Series, HeaderFacts]]) -> list[str]:
    """What tells these apart, all different."""
    found: list[tuple[str, ...]] = [()] * len(made)
    for words in _differences(made):
        longer = [(*own, word) for own, word in zip(found, words, strict=True)]
        if len(set(longer)) > len(set(found)):
            found = longer
    joined = ["_".join(filter(None, words)) for words in found]
    if len(set(joined)) == len(joined) and all(joined):
        return joined
    return [str(number) for number in range(1, len(made) + 1)]


def _differences(made: Sequence[tuple[Series, HeaderFacts]]) -> Iterator[list[str]]:
    """For each trait a word for each series, empty where it has none or several."""
    yield _image_types([_only(series, "image type") for series, _ in made])
    yield [_PLANES[facts.affine.orientation[0]] if facts.affine else "" for _, facts in made]
    for trait, prefix in (("acquisition", "acquisition"), ("time point", "time"), ("echo", "echo")):
        values = [_only(series, trait) for series, _ in made]
        words = [_word(value[0]) if value else "" for value in values]
        yield [f"{prefix}{word}" if word else "" for word in words]


def _only(series: Series, trait: str) -> tuple[str, ...]:
    """The value of a trait that all files have, as texts; none where they differ."""
    values = {file.traits[trait] for file in series.files}
    if len(values) > 1:
        return ()
    (value,) = values
    return value if isinstance(value, tuple) else (str(value),)


def _image_types(values: Sequence[tuple[str, ...]]) -> list[str]:
    """The shortest words at one place of Image Type that tell the most of these apart."""
    columns = [[_word(word) for word in column] for column in zip_longest(*values, fillvalue="")]
    best = min(columns, key=lambda words: (-len(set(words)), sum(map(len, words))), default=[])
    return best or [""] * len(values)


def _word(value: str) -> str:
    return value.strip().replace(" ", "_") if _WORD.fullmatch(value) else ""
