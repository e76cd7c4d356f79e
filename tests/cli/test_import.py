"""`datamint-like import`: what it makes, what it leaves out, what it says and with which exit code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from datamint_like import Api
from datamint_like.cli import importing
from tests.cli.conftest import Run


@pytest.fixture
def scans(tmp_path: Path, demo_images: Path) -> Path:
    """A folder with a series, a picture and a text."""
    folder = tmp_path / "scans"
    shutil.copytree(demo_images / "ct_ge", folder / "ct")
    shutil.copy(demo_images / "xray" / "cr_16bit.png", folder)
    (folder / "notes.txt").write_text("no image")
    return folder


def test_images_join_a_new_project_and_files_left_out_are_counted_by_reason(run: Run, scans: Path) -> None:
    done = run("import", scans, "--project", "chest", "--tag", "a", "--tag", "b")
    assert done.code == 3
    assert "Project 'chest' was created" in done.out
    assert "Imported 2 resources (29 files) into 'chest'." in done.out
    assert "Left out: 1 file." in done.out
    assert "1  it is no image format" in done.out
    assert "notes.txt" in done.out
    assert done.err == ""
    with Api() as api:
        found = api.projects.get_project_resources("chest")
    assert [each.metadata["kind"] for each in found] == ["image", "volume"]
    assert {each.tags for each in found} == {("a", "b")}
    assert {each.status for each in found} == {"published"}


def test_the_json_says_the_same_in_one_object(run: Run, scans: Path) -> None:
    done = run("import", scans, "--project", "chest", "--json")
    found = done.json
    assert done.out.count("\n") == 1
    assert (found["project"]["name"], found["project"]["created"]) == ("chest", True)
    assert [(each["filename"], each["shape"], each["files"]) for each in found["imported"]] == [
        ("cr_16bit.png", [1, 440, 440], 1),
        ("series_2_28files.dcm", [28, 128, 128], 28),
    ]
    assert [each["file"] for each in found["skipped"]] == ["notes.txt"]
    assert found["already_there"] == []


def test_files_that_the_project_has_are_not_added_twice(run: Run, scans: Path, demo_images: Path) -> None:
    (scans / "notes.txt").unlink()
    assert run("import", scans, "--project", "chest").code == 0
    shutil.copy(demo_images / "xray" / "nih_00000001_000.png", scans)
    shutil.copy(demo_images / "xray" / "nih_00000001_000.png", scans / "the_same.png")
    again = run("import", scans, "--project", "chest", "--json")
    assert again.json["project"]["created"] is False
    assert [each["filename"] for each in again.json["imported"]] == ["nih_00000001_000.png"]
    assert [(each["filename"], each["files"]) for each in again.json["already_there"]] == [
        ("cr_16bit.png", 1),
        ("series_2_28files.dcm", 28),
    ]
    told = run("import", scans, "--project", "chest")
    assert "Already there, not added again: 3 resources." in told.out
    assert "'chest' now holds 3 resources." in told.out


def test_a_copy_of_a_file_is_left_out_as_that_of_the_other_file(run: Run, scans: Path) -> None:
    (scans / "notes.txt").unlink()
    shutil.copy(scans / "cr_16bit.png", scans / "copy.png")
    for _ in range(2):
        done = run("import", scans, "--project", "chest", "--json")
        assert done.code == 3
        assert done.json["skipped"] == [{"file": "cr_16bit.png", "reason": "it has the same bytes as copy.png"}]
    assert [each["filename"] for each in done.json["already_there"]] == ["copy.png", "series_2_28files.dcm"]
    strict = run("import", scans, "--project", "other", "--on-error", "raise", "--json")
    assert len(strict.json["imported"]) == 2


def test_a_changed_file_is_not_already_there(run: Run, scans: Path, demo_images: Path) -> None:
    path = scans / "cr_16bit.png"
    assert run("import", path, "--project", "chest").code == 0
    data = path.read_bytes()
    path.write_bytes(data + b"\0")
    longer = run("import", path, "--project", "chest", "--json")
    assert len(longer.json["imported"]) == 1


@pytest.mark.parametrize(("option", "linked"), [("--link", True), ("--copy", False)])
def test_files_are_copied_or_registered_in_place(run: Run, scans: Path, option: str, linked: bool) -> None:
    assert run("import", scans / "ct", "--project", "chest", option).code == 0
    with Api() as api:
        ids = [each.id for each in api.projects.get_project_resources("chest")]
        parts = api.backend.list_parts(ids)[ids[0]]
    assert [part.linked_path is not None for part in parts] == [linked] * 28


def test_nothing_is_imported_and_no_project_is_made_when_one_bad_file_may_not_be(run: Run, scans: Path) -> None:
    done = run("import", scans, "--project", "chest", "--on-error", "raise")
    assert done.code == 1
    assert "1 of 30 files cannot be imported" in done.err
    assert "notes.txt" in done.err
    assert run("ls", "--json").json["projects"] == []


BAD = {
    "lost.dcm": "There is no file or folder",
    "empty": "holds no file",
    "notes.txt": "it is no image format",
    "*.nii": "Nothing matches the pattern",
}


@pytest.mark.parametrize("given", BAD)
def test_bad_input_is_one_line_on_stderr_and_exit_code_1(run: Run, scans: Path, given: str) -> None:
    (scans / "empty").mkdir()
    done = run("import", scans / given, "--project", "chest")
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert BAD[given] in done.err
    assert given in done.err
    told = run("import", scans / given, "--project", "chest", "--json")
    assert BAD[given] in told.json["error"]["message"]
    assert run("ls", "--json").json["projects"] == []


def test_an_archived_project_is_not_filled(run: Run, scans: Path) -> None:
    with Api() as api:
        api.projects.delete(api.projects.create("chest"))
    done = run("import", scans / "ct", "--project", "chest")
    assert done.code == 1
    assert "archived" in done.err


def test_an_interruption_is_exit_code_130_without_a_traceback(
    run: Run, scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importing, "import_files", interrupted)
    done = run("import", scans, "--project", "chest")
    assert done.code == 130
    assert done.err.startswith("datamint-like: interrupted.")
    assert done.err.count("\n") == 1


def test_progress_shows_on_stderr_only_on_a_terminal(run: Run, scans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("import", scans / "ct", "--project", "a").err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: True, raising=False)
    done = run("import", scans / "ct", "--project", "b", "--json")
    assert "reading headers" in done.err
    assert done.json["project"]["name"] == "b"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of a process are a matter of POSIX")
def test_a_full_disk_is_one_line_and_a_second_run_goes_on(run: Run, scans: Path, demo_images: Path) -> None:
    (scans / "notes.txt").unlink()
    picture = (demo_images / "xray" / "nih_00000001_000.png").read_bytes()
    (scans / "large.png").write_bytes(picture + bytes(600_000))  # what follows the last chunk plays no role
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from datamint_like import Api; Api().projects.create('chest')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))\n"
        "from datamint_like.cli.main import main\n"
        f"sys.exit(main(['import', {str(scans)!r}, '--project', 'chest']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "large.png: No room for" in done.stderr
    before = run("ls", "chest", "--json").json["resources"]
    assert "large.png" not in [each["filename"] for each in before]
    assert run("import", scans, "--project", "chest").code == 0
    assert len(run("ls", "chest", "--json").json["resources"]) == 3


def test_a_file_name_that_is_no_text_stops_nothing(run: Run, scans: Path, demo_images: Path) -> None:
    picture = demo_images / "xray" / "nih_00000001_000.png"
    Path(os.fsdecode(os.fsencode(scans) + b"/\xff.png")).write_bytes(picture.read_bytes())
    Path(os.fsdecode(os.fsencode(scans) + b"/\xfe.txt")).write_text("no image")
    done = run("import", scans, "--project", "chest")
    assert done.code == 3
    assert "Imported 3 resources (30 files)" in done.out
    assert len(run("ls", "chest", "--json").json["resources"]) == 3
    assert len(run("import", scans, "--project", "chest", "--json").json["already_there"]) == 3


def test_copies_of_a_series_are_left_out_with_their_reason(run: Run, scans: Path, demo_images: Path) -> None:
    (scans / "notes.txt").unlink()
    shutil.copytree(demo_images / "ct_ge", scans / "ct again")
    done = run("import", scans, "--project", "chest")
    assert done.code == 3
    assert "Imported 2 resources (29 files) into 'chest'." in done.out
    assert "Left out: 28 files." in done.out
    assert "it is the same image (SOP Instance UID) as another file" in done.out
    assert "18  for other reasons, which --json lists" in done.out
    again = run("import", scans, "--project", "chest", "--json").json
    assert (len(again["already_there"]), len(again["skipped"]), again["imported"]) == (2, 28, [])


def test_an_archived_project_takes_no_images_and_says_how_to_bring_it_back(run: Run, scans: Path) -> None:
    with Api() as api:
        api.projects.delete(api.projects.create("chest"))
    done = run("import", scans, "--project", "chest")
    assert done.code == 1
    assert "is archived. Bring it back with Api().projects.restore('chest')" in done.err
    with Api() as api:
        assert api.resources.get_list() == []


def test_a_file_name_does_nothing_to_the_terminal(run: Run, scans: Path, demo_images: Path) -> None:
    picture = (demo_images / "xray" / "nih_00000001_000.png").read_bytes()
    (scans / "a\nb\tc\x1b[2J\u202ednp.png").write_bytes(picture)
    (scans / "x\ny\u2066\r.txt").write_text("no image")
    (scans / "notes.txt").unlink()
    name = r"a\nb\tc\x1b[2J\u202ednp.png"
    done = run("import", scans, "--project", "che\x1b[1mst")
    assert done.code == 3
    assert f"\n{name}  " in done.out
    assert r"such as x\ny\u2066\r.txt" in done.out
    listed = run("ls", "che\x1b[1mst")
    assert f"\n{name}  " in listed.out
    assert r"che\x1b[1mst" in run("ls").out
    lost = run("ls", "lo\x1bst")
    for text in (done.out, listed.out, run("ls").out, lost.err):
        assert [each for each in text if each != "\n" and not each.isprintable()] == []
    (found,) = [each for each in run("ls", "che\x1b[1mst", "--json").json["resources"] if "dnp" in each["filename"]]
    assert found["filename"] == "a\nb\tc\x1b[2J\u202ednp.png"
