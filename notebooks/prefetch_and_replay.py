# %% [markdown]
# # Prefetch, then train without a network, twice the same
#
# What a job on a cluster does: all files come to the machine first, or the job ends at once and says what is missing.
# Then nothing is asked of anybody any more, and the same run can be replayed to the last bit.
#
# The images are real and small (they ship with the package). **The mask is synthetic**: made by a threshold. The server
# of this page runs on this machine.

# %%
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore", "IProgress not found")
os.environ["DATAMINT_LIKE_CACHE"] = tempfile.mkdtemp()  # a cache of its own for this tour

from datamint_like import Api, VolumeDataset
from datamint_like.demo.masks import ANNOTATORS, CLASSES, label_map
from datamint_like.demo.project import IMAGES

key = secrets.token_urlsafe(32)
os.environ["DATAMINT_LIKE_API_KEY"] = key
server = subprocess.Popen(
    [sys.executable, "-m", "datamint_like.cli.main", "serve", "--store", tempfile.mkdtemp(), "--port", "0"],
    env={**os.environ, "DATAMINT_LIKE_ADMIN_KEY": key},
    stderr=subprocess.PIPE,
    text=True,
)
address = re.search(r"http://\S+", server.stderr.readline())[0]

admin = Api(server_url=address)
admin.projects.create("head-ct", description="CT of the head")
admin.resources.upload_resources(str(IMAGES / "ct_philips"), publish_to="head-ct", progress_bar=False)
(ct,) = admin.projects.get_project_resources("head-ct")
volume = VolumeDataset(project="head-ct", server_url=address)[0]["image"]
bone = label_map(volume[0].numpy(), ANNOTATORS[0])
admin.annotations.upload_volume_segmentation(ct, bone, name=CLASSES, axes="dhw", author_email=ANNOTATORS[0].email)
print("the project:", ct.filename, tuple(volume.shape))

# %% [markdown]
# ## Everything comes first
#
# `prefetch` brings files and masks, sixteen at once, checks each against its SHA-256, and with `slices=` decodes every
# volume into a pack meanwhile. On a terminal it shows one bar (bytes, rate, time left); here a function is told.
# In a job script this is `datamint-like prefetch head-ct --slices axial --annotations`, whose exit code is 0 only where
# everything is there.

# %%
os.environ["DATAMINT_LIKE_CACHE"] = tempfile.mkdtemp()  # another machine, where nothing is yet
OPTIONS = {
    "project": "head-ct",
    "server_url": address,
    "return_as_semantic_segmentation": True,
    "semantic_seg_merge_strategy": "union",
    "return_objects": False,
    "dtype": "float32",
    "seed": 7,
}
events = []
report = VolumeDataset(**OPTIONS).prefetch(include_annotations=True, slices="axial", progress=events.append)
print(report)
last = events[-1]
print("bytes:", last.size_done == last.size_total, " resources:", f"{last.resources_done}/{last.resources_total}")

# %% [markdown]
# A second call finds everything in place; after an interrupt it goes on where it stopped, in the middle of a file too.

# %%
again = VolumeDataset(**OPTIONS).prefetch(include_annotations=True, slices="axial", progress=False)
print(again)

# %% [markdown]
# ## The network is off
#
# The server is gone, the key is unknown, and `DATAMINT_LIKE_OFFLINE` forbids to open a connection at all. The dataset
# takes the newest state of the project that this machine knows. Its `fingerprint` names that state, the items and their
# options in one text.

# %%
server.terminate()
server.wait()
server.stderr.close()
del os.environ["DATAMINT_LIKE_API_KEY"]
os.environ["DATAMINT_LIKE_OFFLINE"] = "1"

slices = VolumeDataset(**OPTIONS).slice("axial")
print(slices, "with a fingerprint of", len(slices.fingerprint), "digits")

# %% [markdown]
# ## A training, written down
#
# A small net learns to find bone. Which slices come in which order, how each is turned, and the first weights all
# follow from seeds. Written down of the run are the fingerprint of its data, its seed, and the loss of every step.

# %%
import torch

torch.set_num_threads(1)


def flipped(image, masks):
    """Left and right exchanged in every second draw."""
    if torch.rand(1) < 0.5:
        return {"image": image[:, ::-1].copy(), "masks": masks[:, :, ::-1].copy()}
    return {"image": image, "masks": masks}


def train(workers, epochs=2):
    """What is to be known of a run."""
    data = VolumeDataset(**OPTIONS, alb_transform=flipped).slice("axial")
    loader = data.get_dataloader(batch_size=8, shuffle=True, num_workers=workers)
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 5, padding=2), torch.nn.ReLU(), torch.nn.Conv2d(8, len(CLASSES) + 1, 1)
    )
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    losses = []
    for _ in range(epochs):
        for batch in loader:
            wanted = batch["segmentations"].argmax(1)
            loss = torch.nn.functional.cross_entropy(net(batch["image"] / 1000), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return {"fingerprint": data.fingerprint, "seed": OPTIONS["seed"], "losses": losses}


run = train(workers=2)
record = Path(tempfile.mkdtemp(), "run.json")
record.write_text(json.dumps(run))
print(len(run["losses"]), "steps, the loss went from", f"{run['losses'][0]:.1f} to {run['losses'][-1]:.1f}")

# %% [markdown]
# ## The same run again
#
# Another day, another number of workers. Equal fingerprints say that the data are those of the run; then every loss is
# the same number, not a similar one.

# %%
before = json.loads(record.read_text())
replayed = train(workers=1)
print("the same data:", replayed["fingerprint"] == before["fingerprint"])
print("the same losses, to the last bit:", replayed["losses"] == before["losses"])

# %% [markdown]
# What is not on the machine is one error before a training starts, here with an empty cache.

# %%
from datamint_like import CacheError

os.environ["DATAMINT_LIKE_CACHE"] = tempfile.mkdtemp()
try:
    VolumeDataset(**OPTIONS).prepare()
except CacheError as error:
    print(str(error).replace(address, "the server"))
