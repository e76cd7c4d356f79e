# %% [markdown]
# # Splits without leakage
#
# A patient whose images are in the training and in the test part makes every score look better than it is. This tour
# makes such a split on purpose, shows how it is noticed, and then splits by patient, in proportion, and in folds.
#
# The radiographs are real (they ship with the package). **Patients, labels and views are made up** for this tour: the
# same two pictures stand for 24 studies of 9 patients.

# %%
import os
import tempfile
import warnings

warnings.filterwarnings("ignore", "IProgress not found")  # plain progress bars will do

# A store of its own for this tour. Leave these two lines out to work in your own.
os.environ["DATAMINT_LIKE_HOME"] = tempfile.mkdtemp()
os.environ["DATAMINT_LIKE_CACHE"] = tempfile.mkdtemp()

# %% [markdown]
# ## A project with patients
#
# `patient_id` in the metadata groups resources; DICOM files bring it in their header. Every third patient has nodules.

# %%
from datamint_like import Api, ImageDataset
from datamint_like.demo.project import IMAGES

api = Api()
api.projects.create("chest")
pictures = sorted((IMAGES / "xray").glob("nih_*_000.png"))
for study in range(24):
    patient = f"p{study % 9}"
    resource = api.resources.upload_resource(
        str(pictures[study % 2]), publish_to="chest", metadata={"patient_id": patient}
    )
    view = "lateral" if study % 4 == 3 else "pa"
    api.annotations.add_category_annotation(resource, "view", view, author_email="ana@lab.example")
    if study % 9 in (0, 3, 6):
        api.annotations.add_label_annotation(resource, "nodule", author_email="ana@lab.example")

dataset = ImageDataset(project="chest")
print(len(dataset), "items of", len({resource.patient_id for resource in dataset.resources}), "patients")

# %% [markdown]
# ## The split that leaks
#
# Ratios alone shuffle images. The library says how many patients are on two sides, and the report shows where.

# %%
from datamint_like.exceptions import PatientLeakageWarning

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", PatientLeakageWarning)
    leaky = dataset.split(train=0.7, val=0.15, test=0.15, seed=42)
print(caught[0].message)
print()
print(leaky.report())

# %% [markdown]
# ## By patient, and in proportion
#
# `by_patient=True` shuffles patients. `stratify="nodule"` gives each part its share of the patients with a nodule,
# rounded down or up: 9 patients, 3 with nodules, two thirds and one third.

# %%
parts = dataset.split(train=0.67, test=0.33, seed=42, by_patient=True, stratify="nodule")
report = parts.report()
print(report)
assert report.disjoint_patients

# %% [markdown]
# `report.as_dict()` is the same for a log or a paper's supplement.
#
# ## Kept in the project
#
# `save()` writes the parts to the project, all at one instant, and returns that instant. Colleagues then call `split()`
# without a seed; with `as_of_timestamp` they get these parts even after somebody changed the assignments.

# %%
instant = parts.save()
again = ImageDataset(project="chest").split()
print({name: len(part) for name, part in again.items()}, again["train"].split_source)

moved = [resource for resource in dataset.resources if resource.patient_id == "p0"]
api.projects.assign_splits("chest", moved, "held-out")
print({name: len(part) for name, part in dataset.split().items()}, "now")
print({name: len(part) for name, part in dataset.split(as_of_timestamp=instant).items()}, "as it was")

# %% [markdown]
# ## Folds
#
# `kfold` gives train and val for each fold: every item is in one `val`, and no patient in two.

# %%
folds = dataset.kfold(3, seed=42, by_patient=True, stratify="nodule")
for number, fold in enumerate(folds):
    patients = sorted({resource.patient_id for resource in fold["val"].resources})
    print(number, {name: len(part) for name, part in fold.items()}, "val:", *patients)
assert sum(len(fold["val"]) for fold in folds) == len(dataset)
