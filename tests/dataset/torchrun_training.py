"""One process of a training that `python -m torch.distributed.run` started: what it saw, and of how many files all that
it decoded was, as JSON.

Arguments: the store's URL, the cache folder, a folder for what is told, then ids of volumes.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch.distributed as dist

from datamint_like.dataset import VolumeDataset
from datamint_like.imaging import reading


def main(url: str, cache: str, told: str, *resources: str) -> None:
    decoded: list[int] = []
    plain = reading._decoded

    def counted(files: Any, *rest: Any) -> Any:
        decoded.append(len(files))
        return plain(files, *rest)

    reading._decoded = counted
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo")
    options: dict[str, Any] = {"cache_dir": cache, "irregular_spacing": "keep", "memory_cache": 0}
    slices = VolumeDataset(resources=resources, server_url=url, seed=3, **options).slice("axial")
    loader = slices.get_dataloader(batch_size=4, shuffle=True)
    epochs = [[(each.id, each.slice_index) for batch in loader for each in batch["resource"]] for _ in range(2)]
    rank = dist.get_rank()
    dist.destroy_process_group()
    Path(told, f"{rank}.json").write_text(json.dumps({"epochs": epochs, "decoded": decoded}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
