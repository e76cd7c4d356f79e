# %% [markdown]
# # A server for a team
#
# One store on the network: several people with keys and roles, training over HTTP, and training on when the network
# is gone. The server of this page runs on this machine; in your house it runs where the data are.
#
# The images are real and small (they ship with the package). **The mask is synthetic**: made by a threshold.

# %%
import os
import re
import secrets
import subprocess
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore", "IProgress not found")
os.environ["TQDM_DISABLE"] = "1"  # no progress bars on this page
os.environ["DATAMINT_LIKE_CACHE"] = tempfile.mkdtemp()  # a cache of its own for this tour

from datamint_like import Api, VolumeDataset
from datamint_like.demo.masks import ANNOTATORS, CLASSES, label_map
from datamint_like.demo.project import IMAGES

# %% [markdown]
# ## The server
#
# In a terminal this is `datamint-like serve --store team-store`. Without `DATAMINT_LIKE_ADMIN_KEY` it makes a first
# key and prints it once.

# %%
team_store = tempfile.mkdtemp()
admin_key = secrets.token_urlsafe(32)
server = subprocess.Popen(
    [sys.executable, "-m", "datamint_like.cli.main", "serve", "--store", team_store, "--port", "0"],
    env={**os.environ, "DATAMINT_LIKE_ADMIN_KEY": admin_key},
    stderr=subprocess.PIPE,
    text=True,
)
address = re.search(r"http://\S+", server.stderr.readline())[0]
print("the server answers at", address.rpartition(":")[0] + ":...")

# %% [markdown]
# ## Images and people
#
# The admin uploads a CT series, which becomes one volume, and a mask of it. The same calls work on an embedded store.

# %%
admin = Api(server_url=address, api_key=admin_key)
admin.projects.create("head-ct", description="CT of the head")
admin.resources.upload_resources(str(IMAGES / "ct_philips"), publish_to="head-ct", progress_bar=False)
for resource in admin.projects.get_project_resources("head-ct"):
    print(resource.filename, resource.modality, resource.metadata["shape"])

# %%
volumes = VolumeDataset(project="head-ct", server_url=address, api_key=admin_key)
bone = label_map(volumes[0]["image"][0].numpy(), ANNOTATORS[0])
admin.annotations.upload_volume_segmentation(
    volumes[0]["resource"], bone, name=CLASSES, axes="dhw", author_email=ANNOTATORS[0].email
)
volumes = VolumeDataset(project="head-ct", server_url=address, api_key=admin_key)
print({author: tuple(mask.shape) for author, mask in volumes[0]["segmentations"].items()})

# %% [markdown]
# ## A dataset over HTTP
#
# The project's records come in one stream, the files when they are needed (or all at once by `prefetch`), each
# checked against its SHA-256 and kept in the cache. Slices, splits, workers: all as on an embedded store.

# %%
slices = volumes.slice("axial")
slices.show(14)

# %% [markdown]
# ## The server is gone, the training goes on
#
# What was fetched is on this machine. `auto_update=False` opens the last synced state without asking anybody.

# %%
volumes.prefetch(include_annotations=True)
server.terminate()
server.wait()
server.stderr.close()

offline = VolumeDataset(project="head-ct", server_url=address, auto_update=False)
print("the same state:", offline.fingerprint == volumes.fingerprint)
loader = offline.slice("axial").get_dataloader(batch_size=8, num_workers=2, shuffle=True)
shapes = [tuple(batch["image"].shape) for batch in loader]
print(len(shapes), "batches, the first", shapes[0], "from the cache, without a server and without a key")
