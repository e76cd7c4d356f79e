"""The history of splits against a plain model, whatever the clock does."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given, settings

from datamint_like.backends.local import clock
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.testing.samples import project_of, upload

Steps = list[tuple[set[int], str, int]]
steps = st.lists(
    st.tuples(
        st.sets(st.integers(0, 3), min_size=1),
        st.sampled_from(["train", "val", "test"]),
        st.integers(-3_000_000, 3_000_000),  # how far the clock moves before the step, in microseconds
    ),
    max_size=8,
)


class Clock:
    """A wall clock that the test moves, also backwards."""

    def __init__(self) -> None:
        self.stamp = clock.wall_clock()

    def move(self, microseconds: int) -> None:
        from datetime import datetime, timedelta

        moved = datetime.fromisoformat(self.stamp) + timedelta(microseconds=microseconds)
        self.stamp = clock.parse(moved.isoformat())


def held(store: LocalBackend, project_id: str, as_of: str | None = None) -> dict[str, str]:
    return {row.resource_id: row.split_name for row in store.list_splits(project_id, as_of=as_of)}


@settings(max_examples=25, deadline=None)
@given(steps)
def test_every_instant_replays_even_when_the_clock_steps_back(moves: Steps) -> None:
    original, fake = clock.wall_clock, Clock()
    clock.wall_clock = lambda: fake.stamp  # type: ignore[assignment]
    try:
        with tempfile.TemporaryDirectory() as folder:
            store = LocalBackend((Path(folder) / "store").as_uri())
            replay(store, moves, fake)
            store.close()
    finally:
        clock.wall_clock = original  # type: ignore[assignment]


def replay(store: LocalBackend, moves: Steps, fake: Clock) -> None:
    resources = [upload(store) for _ in range(4)]
    project = project_of(store, *resources)
    model: dict[str, str] = {}
    history = [(store.now(), dict(model))]
    for chosen, split, shift in moves:
        fake.move(shift)
        ids = [resources[n].id for n in sorted(chosen)]
        store.assign_split(project.id, ids, split)
        model |= dict.fromkeys(ids, split)
        history.append((store.now(), dict(model)))
        assert held(store, project.id) == model
    stamps = [stamp for stamp, _ in history]
    assert stamps == sorted(set(stamps))
    for stamp, expected in history:
        assert held(store, project.id, stamp) == expected
