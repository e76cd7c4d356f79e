"""Whatever the order of files and the stamps of time: a channel holds one value of each trait, at one place."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from datamint_like.imaging.dicom.frames import Frame
from datamint_like.imaging.dicom.geometry import stack
from datamint_like.imaging.dicom.traits import Traits


@st.composite
def volumes(draw: st.DrawFn) -> list[Frame]:
    """Planes of several time points and echoes, jittering, stamped and numbered by chance, in any order."""
    times, echoes, planes = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(2, 5))
    moments = draw(st.lists(st.integers(1, 5), min_size=45, max_size=45))
    jitter = draw(st.lists(st.floats(-0.02, 0.02), min_size=45, max_size=45))
    cells = [(t, e, k) for t in range(times) for e in range(echoes) for k in range(planes)]
    frames = [
        Frame(
            part=n,
            number=0,
            position=(0.0, 0.0, 3.0 * k + jitter[n]),
            orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
            spacing=(0.4, 0.4),
            slope=1.0,
            intercept=0.0,
            scale=None,
            traits=Traits(time_point=float(t + 1), moment=moments[n], echo=10.0 * (e + 1)),
            instance=(0, 0),
        )
        for n, (t, e, k) in enumerate(cells)
    ]
    return draw(st.permutations(frames))


@given(volumes())
def test_each_channel_is_one_time_point_and_echo_in_order_of_place(frames: list[Frame]):
    grid = stack(frames, None).grid
    assert sorted(n for channel in grid for n in channel) == list(range(len(frames)))
    for channel in grid:
        assert len({(frames[n].traits.time_point, frames[n].traits.echo) for n in channel}) == 1
        steps = np.diff([frames[n].position[2] for n in channel if frames[n].position])
        assert np.all(steps > 2.9) or np.all(steps < -2.9)
