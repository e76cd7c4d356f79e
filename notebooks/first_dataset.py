# %% [markdown]
# # A first dataset
#
# From image files to training batches, with pictures: a project in the embedded store, volumes in Hounsfield units,
# masks of two annotators, and a split by patient. No server and no key.
#
# The images are real and small (they ship with the package). **All masks are synthetic**: made by thresholds.

# %%
import os
import tempfile
import warnings

warnings.filterwarnings("ignore", "IProgress not found")  # plain progress bars will do

# A store of its own for this tour. Leave these two lines out to work in your own.
os.environ["DATAMINT_LIKE_HOME"] = tempfile.mkdtemp()
os.environ["DATAMINT_LIKE_CACHE"] = tempfile.mkdtemp()

# %% [markdown]
# ## Files become a project
#
# `upload_resources` takes files or a folder, sees which DICOM files belong to one series, and makes each series one
# resource that owns its original files. From a shell the same is `datamint-like import FOLDER --project tour`.

# %%
from datamint_like import Api
from datamint_like.demo.project import IMAGES

api = Api()
project = api.projects.create("tour", description="A tour of the first dataset")
for folder in ("ct_ge", "ct_philips"):
    api.resources.upload_resources(str(IMAGES / folder), publish_to="tour", progress_bar=False)
for radiograph in sorted((IMAGES / "xray").glob("nih_*_000.png")):
    api.resources.upload_resources(str(radiograph), publish_to="tour", progress_bar=False)

for resource in api.projects.get_project_resources("tour"):
    print(resource.filename, resource.modality, resource.mimetype, resource.metadata["shape"])

# %% [markdown]
# ## A volume, in patient space
#
# An item is a dict. `image` is (C, D, H, W): D runs from inferior to superior, H from anterior to posterior, W from the
# patient's right to left, whatever the scanner stored. CT values are Hounsfield units. `metainfo["affine"]` takes an
# array index (d, h, w) to patient millimetres.
#
# One of the two series has uneven gaps between its slices. No affine describes it as a volume, so it must be asked for:
# `irregular_spacing="keep"`.

# %%
import numpy as np

from datamint_like import VolumeDataset
from datamint_like.exceptions import SkippedResourcesWarning

warnings.simplefilter("ignore", SkippedResourcesWarning)  # the radiographs are no volumes

volumes = VolumeDataset(project="tour", irregular_spacing="keep")
for item in volumes:
    image, info = item["image"], item["metainfo"]
    print(tuple(image.shape), image.dtype, f"{int(image.min())} to {int(image.max())} HU,", info["orientation"])
np.set_printoptions(precision=2, suppress=True)
print(np.asarray(volumes[1]["metainfo"]["affine"]))

# %% [markdown]
# `show` draws an item as radiologists read it: three planes in true proportions, through the window of its header.

# %%
volumes.show(1)

# %% [markdown]
# ## Masks of two annotators
#
# Each mask has an author. Here two synthetic ones: the second has a lower threshold for bone and erodes soft tissue.
# `axes="dhw"` says that the label map has the axes of the item.

# %%
from datamint_like.demo.masks import ANNOTATORS, CLASSES, label_map

for item in volumes:
    hu = item["image"][0].numpy()
    for annotator in ANNOTATORS:
        api.annotations.upload_volume_segmentation(
            item["resource"], label_map(hu, annotator), name=CLASSES, axes="dhw", author_email=annotator.email
        )
        print(item["resource"].filename, "|", annotator.email, "|", annotator.rule)

# %% [markdown]
# A dataset is pinned to the project as it was when it was first used, so a new one is made to see the masks.
# `.slice("axial")` gives one item a slice: `image` (C, H, W), and here the masks of each author as float32
# (1 + classes, H, W), the background first. With a merge strategy they become one tensor.

# %%
semantic = {"return_as_semantic_segmentation": True}
by_author = VolumeDataset(project="tour", **semantic).slice("axial")
merged = VolumeDataset(project="tour", semantic_seg_merge_strategy="union", **semantic).slice("axial")
print(len(merged), "slices; classes", merged.segmentation_labels_set)
print({author: tuple(masks.shape) for author, masks in by_author[9]["segmentations"].items()})
print("merged", tuple(merged[9]["segmentations"].shape))

by_author.show(9)

# %% [markdown]
# ## Splits without leakage, and batches
#
# `by_patient=True` keeps everything of a patient on one side. A sliced dataset never splits a volume.

# %%
parts = merged.split(train=0.5, val=0.5, by_patient=True, seed=42)
for name, part in parts.items():
    print(name, len(part), "slices of patient", sorted({resource.patient_id for resource in part.resources}))

import torch

torch.manual_seed(0)
batch = next(iter(parts["train"].get_dataloader(batch_size=6, shuffle=True, num_workers=0)))
print({key: tuple(value.shape) for key, value in batch.items() if hasattr(value, "shape")})

# %% [markdown]
# `montage` shows many items at once, evenly spread, each with its masks: here the merged ones, on the head phantom.

# %%
parts["train"].montage(8)

# %% [markdown]
# ## Images
#
# The same project also holds two chest radiographs. `ImageDataset` takes what is an image and leaves the volumes out.

# %%
from datamint_like import ImageDataset

for resource in api.projects.get_project_resources("tour"):
    mask = IMAGES / "xray" / resource.filename.replace(".png", "_mask.png")
    if mask.exists():
        api.annotations.upload_segmentations(resource, str(mask), name="lung", author_email="threshold@demo.example")

radiographs = ImageDataset(project="tour", include_segmentation_names=["lung"])
for item in radiographs:
    print(item["resource"].filename, tuple(item["image"].shape), item["image"].dtype)
radiographs.montage()

# %% [markdown]
# ## Where to go from here
#
# - `datamint-like import FOLDER --project NAME` with your own files, then `VolumeDataset(project="NAME")`.
# - `datamint-like demo --home DIR` trains a small U-Net on these slices and scores it on the other patient.
