# %% [markdown]
# # Annotators and merging
#
# Three people mark the same CT and do not agree. What a dataset gives of each, how their masks, labels and categories
# become one target, and how to look at it all.
#
# The CT is real and small (it ships with the package). **All masks are synthetic**: made by thresholds.

# %%
import os
import tempfile

# A store of its own for this tour. Leave these two lines out to work in your own.
os.environ["DATAMINT_LIKE_HOME"] = tempfile.mkdtemp()
os.environ["DATAMINT_LIKE_CACHE"] = tempfile.mkdtemp()

# %% [markdown]
# ## A project, its worklist, three annotators
#
# The worklist says which classes there are, with codes and colours, and which labels and categories may be given.
# The three differ in a known way: from how many Hounsfield units a voxel is bone, and whether the skin is left out.

# %%
from datamint_like import Api, VolumeDataset
from datamint_like.demo.masks import ANNOTATOR_A, ANNOTATOR_B, CLASSES, COLOURS, Annotator, label_map
from datamint_like.demo.project import IMAGES

api = Api()
api.projects.create("readers", description="One CT, three readers")
(ct,) = api.resources.upload_resources(str(IMAGES / "ct_ge"), publish_to="readers", progress_bar=False).resource_ids
api.annotationsets.create(
    "tissue",
    project="readers",
    segmentation_data={
        "definitions": [{"identifier": name, "index": code, "color": COLOURS[name]} for code, name in CLASSES.items()]
    },
    image_labels=["artefact", "contrast"],
    annotations=[{"type": "category", "identifier": "quality", "values": ["good", "fair", "poor"]}],
)

ANNOTATOR_C = Annotator(
    "annotator.c@demo.example", bone_from=400, soft_from=-100, erode_soft=False, rule="bone from 400"
)
hu = VolumeDataset(project="readers", irregular_spacing="keep")[0]["image"][0].numpy()
for annotator, labels, quality in (
    (ANNOTATOR_A, ["artefact"], "good"),
    (ANNOTATOR_B, ["artefact"], "good"),
    (ANNOTATOR_C, ["contrast"], "poor"),
):
    who = {"author_email": annotator.email}
    api.annotations.upload_volume_segmentation(ct, label_map(hu, annotator), name=CLASSES, axes="dhw", **who)
    for label in labels:
        api.annotations.add_label_annotation(ct, label, **who)
    api.annotations.create_image_classification(ct, "quality", quality, **who)

# %% [markdown]
# ## Each annotator's word
#
# Without a merge strategy every target is a dict by author. Here are the axial slices; the planes of this series are
# unevenly spaced, which slices along the acquisition do not mind.

# %%
slices = VolumeDataset(project="readers", irregular_spacing="keep").slice("axial")
item = slices[9]
for author, masks in item["segmentations"].items():
    codes, labels = item["seg_labels"][author], item["image_labels"][author]
    print(author, tuple(masks.shape), "codes", codes.tolist(), "labels", labels.tolist())
print("label names", slices.image_labels_set, "| categories", slices.image_categories_set)

# %% [markdown]
# `show` draws an item: the image through the window of its header, then what each annotator marked, in the colours of
# the worklist, and their labels. The letters are the patient's sides.

# %%
slices.show(9)

# %% [markdown]
# ## Merged masks
#
# `union` takes what anyone marked, `intersection` what all marked, `mode` what at least half of them marked. Classes
# merge one by one, so in a union a voxel may be both soft tissue and bone. Background is what is left.

# %%
semantic = {"irregular_spacing": "keep", "return_as_semantic_segmentation": True}
merged = {
    strategy: VolumeDataset(project="readers", semantic_seg_merge_strategy=strategy, **semantic).slice("axial")
    for strategy in ("union", "intersection", "mode")
}
for strategy, dataset in merged.items():
    background, *classes = dataset[9]["segmentations"].sum(dim=(1, 2)).int().tolist()
    print(f"{strategy:12}", dict(zip(dataset.segmentation_labels_set, classes, strict=True)), "background", background)

# %%
merged["mode"].show(9)

# %% [markdown]
# How far do they agree? Dice of each pair of annotators, over the whole volume, from the semantic masks of each.

# %%
from itertools import combinations

volume = VolumeDataset(project="readers", **semantic)[0]["segmentations"]
for first, second in combinations(volume, 2):
    a, b = volume[first][1:] > 0, volume[second][1:] > 0
    dice = 2 * (a & b).sum(dim=(1, 2, 3)) / (a.sum(dim=(1, 2, 3)) + b.sum(dim=(1, 2, 3)))
    pair = f"{first[:11]} and {second[:11]}"
    print(pair, {name: round(float(value), 3) for name, value in zip(CLASSES.values(), dice, strict=True)})

# %% [markdown]
# ## Merged labels and categories
#
# They have strategies of their own. With everything merged and `return_objects=False` an item is tensors only, and
# torch's own collation works.

# %%
one = VolumeDataset(
    project="readers",
    semantic_seg_merge_strategy="mode",
    image_labels_merge_strategy="mode",
    image_categories_merge_strategy="mode",
    return_objects=False,
    **semantic,
).slice("axial")
print({key: tuple(value.shape) for key, value in one[9].items()})
print("labels", one[9]["image_labels"].tolist(), "category", one.image_categories_set[one[9]["image_categories"]])

# %% [markdown]
# ## The whole dataset at a glance
#
# A dataset shows itself as a card: what it holds, the label space with its colours, who annotated how much. `montage`
# draws items from the first to the last.

# %%
one

# %%
one.montage(8)

# %% [markdown]
# ## Where to go from here
#
# - `exclude_annotators=["annotator.c@demo.example"]` leaves one of them out; the codes stay as they are.
# - `dataset.to_monai()` and `dataset.to_torchio()` hand the items on with their true places in the patient.
