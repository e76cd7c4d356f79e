"""`datamint-like prefetch`: what comes, what it reports, and an exit code of 0 only where all is here."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamint_like import Api, VolumeDataset
from tests.cli.conftest import Run

pytestmark = pytest.mark.filterwarnings("ignore::datamint_like.exceptions.SkippedResourcesWarning")


@pytest.fixture(scope="module")
def home(demo_images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a project of all kinds, whose volumes are split."""
    home = tmp_path_factory.mktemp("prefetched") / "store"
    with Api(server_url=home.as_uri()) as api:
        project = api.projects.create("mixed")
        for name in ("ct_philips", "ct_ge", "xray/cr_16bit.png", "ultrasound/examples_ybr_color.dcm"):
            api.resources.upload_resources(demo_images / name, publish_to=project)
        volumes = [each for each in api.projects.get_project_resources(project) if each.metadata["kind"] == "volume"]
        api.projects.assign_splits(project, volumes[:1], "train")
        api.projects.assign_splits(project, volumes[1:], "val")
        pictures = api.projects.create("pictures")
        api.resources.upload_resources(demo_images / "xray" / "nih_00000001_000.png", publish_to=pictures)
    return home


@pytest.fixture(autouse=True)
def _its_store(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAMINT_LIKE_HOME", str(home))


def test_all_kinds_come_and_the_report_tells_of_each(run: Run) -> None:
    done = run("prefetch", "mixed", "--annotations")
    assert (done.code, done.err) == (0, "")
    assert [line.partition(":")[0] for line in done.out.splitlines()] == ["image", "volume", "video"]
    found = run("prefetch", "mixed", "--json").json
    assert (found["complete"], found["resources"], found["files"]) == (True, 4, 62)
    assert {kind: report["files"] for kind, report in found["kinds"].items()} == {"image": 1, "volume": 60, "video": 1}
    assert (found["masks"], found["failures"]) == (None, [])


def test_slices_are_packed_of_the_kind_that_has_them_in_the_cache_that_is_named(run: Run, tmp_path: Path) -> None:
    options = ("--slices", "axial", "--cache-dir", tmp_path, "--json")
    found = run("prefetch", "mixed", *options).json
    assert (found["packs_made"], found["resources"]) == (2, 4)
    assert len(list((tmp_path / "packs").rglob("axial.npy.gz"))) == 2
    assert run("prefetch", "mixed", *options).json["packs_there"] == 2
    train = run("prefetch", "mixed", "--slices", "1", "--split", "train", "--json").json
    assert (train["resources"], train["packs_made"]) == (1, 1)
    frames = run("prefetch", "mixed", "--kind", "video", "--slices", "frames", "--json").json
    assert (frames["resources"], frames["packs_made"]) == (1, 1)


def test_what_it_makes_is_what_a_dataset_with_default_options_reads(run: Run) -> None:
    assert run("prefetch", "mixed", "--kind", "volume", "--slices", "axial").code == 0
    part = VolumeDataset("mixed", irregular_spacing="keep").slice("axial")
    assert part.prefetch(progress=False).packs_there == 2


def test_what_is_missing_is_listed_and_the_exit_code_says_so(run: Run, home: Path, tmp_path: Path) -> None:
    with Api() as api:
        (picture,) = [each for each in api.projects.get_project_resources("mixed") if each.filename == "cr_16bit.png"]
        (part,) = api.backend.list_parts([picture.id])[picture.id]
    stored = next((home / "blobs").rglob(part.sha256))
    stored.rename(tmp_path / "taken away")
    try:
        done, found = run("prefetch", "mixed"), run("prefetch", "mixed", "--json")
    finally:
        (tmp_path / "taken away").rename(stored)
    assert (done.code, done.err) == (3, "")
    assert "Incomplete: 1 failure. Run the command again to go on." in done.out
    assert "cr_16bit.png" in done.out.splitlines()[-1]
    assert (found.code, found.json["complete"], len(found.json["failures"])) == (3, False, 1)
    assert found.json["files"] == 61


def test_wrong_words_are_one_line_and_exit_code_1(run: Run, tmp_path: Path) -> None:
    cases = {
        ("mixed", "--split", "trian"): "'trian'; it has ['train', 'val']",
        ("mixed", "--slices", "axail"): "--slices axail is no axis: volumes have axial,",
        (
            "pictures",
            "--slices",
            "foo",
        ): "--slices foo is no axis: volumes have axial, coronal, sagittal, 0, 1 and 2, videos have frames.",
        ("pictures", "--slices", "3"): "--slices 3 is no axis",
        ("--lock", str(tmp_path / "gone.lock")): "no lock file",
        ("--lock", ""): "lock is the path",
        ("mixed", "--slices", "axial", "--kind", "image"): "--slices axial is not of image resources",
        ("mixed", "--workers", "0"): "workers",
        ("mixed", "--cache-dir", ""): "--cache-dir is empty",
        ("mxied",): "'mixed'",
        ("mixed", "--home", str(tmp_path / "typo")): "There is no store",
    }
    for arguments, told in cases.items():
        done = run("prefetch", *arguments)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1), done.err
        assert told in done.err
    for arguments in (("mixed", "--kind", "tensor"), (), ("mixed", "--lock", "mixed.lock")):
        assert run("prefetch", *arguments).code == 2


def test_a_kind_that_the_project_lacks_is_nothing_to_bring(run: Run) -> None:
    done = run("prefetch", "pictures", "--kind", "video")
    assert (done.code, done.out) == (0, "There is nothing to bring: the project has no such resources.\n")


def test_slices_of_a_project_without_volumes_are_told_to_be_none(run: Run) -> None:
    for slices, kind in (("axial", "volumes"), ("frames", "videos")):
        done = run("prefetch", "pictures", "--slices", slices)
        assert (done.code, done.out.splitlines()[1:]) == (
            0,
            [f"The project has no {kind}: no slices ({slices}) were packed."],
        )


def test_a_lock_file_is_brought_as_it_was_written_and_what_is_missing_is_exit_code_3(
    run: Run, home: Path, tmp_path: Path
) -> None:
    lock, cache = tmp_path / "mixed.lock", tmp_path / "cache"
    VolumeDataset("mixed").snapshot.write_lock(lock)
    with Api() as api:
        project = api.projects.get_by_name("mixed")
        (part,) = [each for each in api.projects.get_project_resources(project) if each.filename == "cr_16bit.png"]
        (stored,) = api.backend.list_parts([part.id])[part.id]
        api.backend.remove_project_resources(project.id, [part.id])
    try:
        found = run("prefetch", "--lock", lock, "--slices", "axial", "--cache-dir", cache, "--json")
        assert (found.code, found.json["complete"], found.json["files"]) == (0, True, 62)
        assert (found.json["packs_made"], found.json["project"], found.json["lock"]) == (2, None, str(lock))
        assert run("prefetch", "mixed", "--json").json["files"] == 61
        (home / "blobs" / stored.sha256[:2] / stored.sha256).rename(tmp_path / "taken away")
        found = run("prefetch", "--lock", lock, "--cache-dir", cache, "--json")
        assert (found.code, len(found.json["failures"])) == (3, 1)
        assert stored.sha256 in found.json["failures"][0]
    finally:
        (tmp_path / "taken away").rename(home / "blobs" / stored.sha256[:2] / stored.sha256)
        with Api() as api:
            api.backend.add_project_resources(project.id, [part.id])
