"""The kit's assertions explain themselves as those of any other test."""

import pytest

pytest.register_assert_rewrite(
    "datamint_like.testing.backend_kit",
    "datamint_like.testing.contents",
    *(
        f"datamint_like.testing._{kind}_promises"
        for kind in ("project", "resource", "annotation", "split", "revision", "change", "argument")
    ),
)
