"""Datasets for other libraries. What a library needs is imported only when its function is called.

`from_monai` and `from_torchio` make a transform of theirs one of a dataset's (`alb_transform=`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datamint_like._lazy import imported

if TYPE_CHECKING:
    from datamint_like.integrations.lightning import DatamintDataModule as DatamintDataModule
    from datamint_like.integrations.monai import from_monai as from_monai
    from datamint_like.integrations.monai import to_monai as to_monai
    from datamint_like.integrations.torchio import from_torchio as from_torchio
    from datamint_like.integrations.torchio import to_torchio as to_torchio

_HOME = {
    "DatamintDataModule": "lightning",
    "from_monai": "monai",
    "from_torchio": "torchio",
    "to_monai": "monai",
    "to_torchio": "torchio",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """The public name, from the module that defines it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return imported(f"{__name__}.{_HOME[name]}", name)
