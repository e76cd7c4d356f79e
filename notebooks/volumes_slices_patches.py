# %% [markdown]
# # Volumes, slices, patches
#
# One volume, three ways to train on it: whole, slice by slice, patch by patch. And the way back: predictions for
# patches put together to a volume.
#
# The images are real and small (they ship with the package). **All masks are synthetic**: made by thresholds.

# %%
import os
import tempfile
import warnings

warnings.filterwarnings("ignore", "IProgress not found")
os.environ["TQDM_DISABLE"] = "1"  # no progress bars on this page

# A store of its own for this tour. Leave these two lines out to work in your own.
os.environ["DATAMINT_LIKE_HOME"] = tempfile.mkdtemp()
os.environ["DATAMINT_LIKE_CACHE"] = tempfile.mkdtemp()

from datamint_like import Api, VolumeDataset
from datamint_like.demo.masks import ANNOTATORS, CLASSES, label_map
from datamint_like.demo.project import IMAGES

api = Api()
project = api.projects.create("head", description="A tour of volumes, slices and patches")
api.resources.upload_resources(str(IMAGES / "ct_philips"), publish_to="head", progress_bar=False)
volume = VolumeDataset(project="head")[0]
bone = label_map(volume["image"][0].numpy(), ANNOTATORS[0])
bone[:12] = 0  # as if the lower slices had not been annotated yet
api.annotations.upload_volume_segmentation(
    volume["resource"], bone, name=CLASSES, axes="dhw", author_email=ANNOTATORS[0].email
)

volumes = VolumeDataset(
    project="head", return_as_semantic_segmentation=True, semantic_seg_merge_strategy="union", seed=7
)
item = volumes[0]
print("image", tuple(item["image"].shape), "masks", tuple(item["segmentations"].shape), volumes.segmentation_labels_set)

# %% [markdown]
# ## Slices
#
# A slice is exactly the cut of its volume: pixels, masks, labels, and its own affine. Which slices: along any axis,
# every k-th, only those with an annotation. A choice of slices is an array of numbers, so it costs next to nothing.

# %%
for axis in ("axial", "coronal", "sagittal"):
    print(axis, len(volumes.slice(axis)), "slices")
annotated = volumes.slice("axial", only_annotated=True)
print("annotated:", [resource.slice_index for resource in annotated.resources])
print("every 8th:", [resource.slice_index for resource in volumes.slice("axial", every=8).resources])

# %%
import matplotlib.pyplot as plt
import numpy as np

plt.rcParams.update({"figure.dpi": 80, "image.cmap": "gray", "image.interpolation": "nearest"})
orange = (0.9, 0.62, 0.0)


def tinted(image, mask=None):
    grey = ((image.float() + 500) / 1200).clamp(0, 1).numpy()
    picture = np.repeat(grey[..., None], 3, axis=2)
    if mask is not None:
        inside = mask.numpy() > 0
        picture[inside] = 0.35 * picture[inside] + 0.65 * np.array(orange)
    return picture


code = volumes.seglabel2code["bone"]
figure, axes = plt.subplots(1, 6, figsize=(15, 3))
for axis, item in zip(axes, volumes.slice("axial", every=6), strict=True):
    axis.imshow(tinted(item["image"][0], item["segmentations"][code]))
    axis.set_title(f"slice {item['resource'].slice_index}")
    axis.axis("off")
figure.suptitle("Every sixth axial slice of a head phantom; synthetic mask of bone (orange), from slice 12 on")
plt.show()

# %% [markdown]
# `neighbors=k` shows the k slices on each side as channels (2.5-D): the masks stay those of the middle slice. Beyond
# the ends of the volume the first or last slice is repeated.

# %%
thick = volumes.slice("axial", neighbors=2)
item = thick[1]
print("image", tuple(item["image"].shape), "masks", tuple(item["segmentations"].shape))
figure, axes = plt.subplots(1, 5, figsize=(13, 3))
for channel, (axis, index) in enumerate(zip(axes, (0, 0, 1, 2, 3), strict=True)):
    axis.imshow(tinted(item["image"][channel]))
    axis.set_title(f"channel {channel}: slice {index}")
    axis.axis("off")
figure.suptitle("Slice 1 with two neighbours on each side; slice 0 is there twice")
plt.show()

# %% [markdown]
# ## Patches
#
# `patches(size, n)` draws n patches of every volume, anew each epoch. With `balance=` a share of them is centred on a
# voxel of a class. Places follow from seed, epoch and item, on any number of workers; a patch reads only the slices
# that it crosses.

# %%
from datamint_like.dataset.seeds import EpochIndex

size = (12, 40, 40)
anywhere = volumes.patches(size, 12)
on_bone = volumes.patches(size, 12, balance={"bone": 1.0})
figure, axes = plt.subplots(1, 2, figsize=(11, 5.5))
d, h, w = volumes[0]["metainfo"]["spacing"]
for axis, dataset, title in zip(axes, (anywhere, on_bone), ("anywhere", 'balance={"bone": 1.0}'), strict=True):
    axis.imshow(tinted(volume["image"][0].amax(0), volumes[0]["segmentations"][code].amax(0)))
    for item in dataset:
        _, (h0, h1), (w0, w1) = item["location"].tolist()
        axis.add_patch(plt.Rectangle((w0 - 0.5, h0 - 0.5), w1 - w0, h1 - h0, fill=False, color="deepskyblue"))
        axis.plot((w0 + w1) / 2, (h0 + h1) / 2, "+", color="deepskyblue")
    voxels = sum(int(item["segmentations"][code].sum()) for item in dataset)
    axis.set_title(f"{title}: {voxels} voxels of bone")
    axis.axis("off")
figure.suptitle("12 patches of 12 x 40 x 40, seen from above (projection of the whole volume)")
plt.show()

print("epoch 0:", on_bone[EpochIndex(0, epoch=0)]["location"].tolist())
print("epoch 1:", on_bone[EpochIndex(0, epoch=1)]["location"].tolist())

# %% [markdown]
# ## A grid, and the way back
#
# `patch_grid` gives all patches that cover a volume; its aggregator puts predictions back. The network here only
# smooths, and like any network it is worst at the faces of a patch: without overlap there are seams. A Hann window over
# overlapping patches hides them.

# %%
import torch


def network(image):
    return torch.nn.functional.avg_pool3d(image.float(), 9, stride=1, padding=4)  # zeros beyond the faces


results = {}
for title, overlap, weights in (("no overlap", 0, "average"), ("overlap 20, Hann", (6, 20, 20), "hann")):
    grid = volumes.patch_grid(size, overlap)
    aggregator = grid.aggregator(0, weights)
    for batch in grid.of_volume(0).get_dataloader(batch_size=4):
        aggregator.add(network(batch["image"]), batch["location"])
    results[f"{title}: {len(grid)} patches"] = aggregator.result()
results["the whole volume at once"] = network(volume["image"][None])[0]

figure, axes = plt.subplots(1, 3, figsize=(13, 4.5))
for axis, (title, result) in zip(axes, results.items(), strict=True):
    axis.imshow(tinted(result[0, 16]))
    axis.set_title(title)
    axis.axis("off")
figure.suptitle("A smoothing network, patch by patch: axial slice 16")
plt.show()

untouched = volumes.patch_grid(size, 5)
aggregator = untouched.aggregator(0)
for batch in untouched.get_dataloader(batch_size=8):
    aggregator.add(batch["image"], batch["location"])
print("what is cut and put back is exactly the volume:", torch.equal(aggregator.result(), volume["image"]))

# %% [markdown]
# ## Ready for training
#
# `prefetch` checks every file against its hash and, with `slices=`, decodes each volume once into a pack that all
# workers read from. It is complete, or raises and says what is missing.

# %%
print(volumes.prefetch(include_annotations=True, slices="coronal"))
print(volumes.prefetch(include_annotations=True, slices="axial"))
