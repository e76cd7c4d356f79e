"""The command line as a whole: `ls`, help, version, exit codes, the store it names, the installed command."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from datamint_like import Api, __version__
from tests.cli.conftest import Run


@pytest.fixture
def filled(demo_images: Path) -> None:
    with Api() as api:
        project = api.projects.create("chest")
        api.resources.upload_resources(demo_images / "xray" / "cr_16bit.png", publish_to=project, tags=["a"])
        api.resources.upload_resources(demo_images / "ct_ge", publish_to=project)
        api.projects.create("other")


@pytest.mark.usefixtures("filled")
def test_ls_lists_projects_in_aligned_columns(run: Run) -> None:
    lines = run("ls").out.splitlines()
    assert lines[0].split() == ["PROJECT", "RESOURCES", "ANNOTATED", "CREATED", "ID"]
    assert lines[1].split()[:3] == ["chest", "2", "0"]
    assert lines[2].split()[:3] == ["other", "0", "0"]
    assert len({line.rindex(" ") for line in lines}) == 1
    assert [each["name"] for each in run("ls", "--json").json["projects"]] == ["chest", "other"]


@pytest.mark.usefixtures("filled")
def test_ls_counts_the_resources_that_have_an_annotation(run: Run) -> None:
    with Api() as api:
        picture, volume = api.projects.get_project_resources("chest")
        for name in ("a", "b"):
            api.annotations.add_label_annotation(picture, name)
        only = api.annotations.add_label_annotation(volume, "c")
    assert run("ls").out.splitlines()[1].split()[:3] == ["chest", "2", "2"]
    assert run("ls", "--json").json["projects"][0]["resources_with_annotations"] == 2
    with Api() as api:
        api.annotations.delete(only)
    assert run("ls").out.splitlines()[1].split()[:3] == ["chest", "2", "1"]
    assert "ANNOTATED  how many of them have at least one annotation" in run("ls", "--help").out


@pytest.mark.usefixtures("filled")
def test_ls_lists_the_resources_of_a_project_without_identity(run: Run) -> None:
    done = run("ls", "chest")
    assert done.code == 0
    assert "28 x 128 x 128" in done.out
    assert "'chest': 2 resources." in done.out
    found = run("ls", "chest", "--json").json
    assert [each["filename"] for each in found["resources"]] == ["cr_16bit.png", "series_2_28files.dcm"]
    with Api() as api:
        patient = api.projects.get_project_resources("chest")[1].patient_id
    assert patient
    assert patient not in json.dumps(found)
    assert "'other': 0 resources." in run("ls", "other").out


@pytest.mark.usefixtures("filled")
def test_an_unknown_project_is_one_line_that_names_it_and_the_store(run: Run, isolated_home: Path) -> None:
    done = run("ls", "chst")
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert "'chst'" in done.err
    assert (isolated_home / "store").as_uri() in done.err
    assert "'chest'" in done.err


@pytest.fixture
def empty() -> None:
    with Api() as api:
        api.check_connection()


@pytest.mark.usefixtures("empty")
def test_an_empty_store_says_what_to_do(run: Run) -> None:
    assert "datamint-like import PATH --project NAME" in run("ls").out


def test_lock_makes_no_store_where_there_is_none_and_says_so(run: Run, tmp_path: Path) -> None:
    done = run("lock", "chest", "--home", tmp_path / "typo" / "x")
    assert (done.code, done.out) == (1, "")
    assert f"There is no store in {(tmp_path / 'typo' / 'x').as_uri()}. Check --home" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("project", [(), ("chest",)])
def test_ls_makes_no_store_where_there_is_none_and_says_so(run: Run, tmp_path: Path, project: tuple[str, ...]) -> None:
    done = run("ls", *project, "--home", tmp_path / "typo" / "x")
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert f"There is no store in {(tmp_path / 'typo' / 'x').as_uri()}. Check --home" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [("import", "", "--project", "a"), ("import", ".", "--project", "a", "--home", ""), ("ls", "--server-url", " ")],
)
def test_a_variable_that_was_not_set_names_no_folder(
    run: Run, tmp_path: Path, isolated_home: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert (done.code, done.out) == (1, "")
    assert "empty" in done.err or "names no store" in done.err
    assert list(tmp_path.iterdir()) == []
    assert not (isolated_home / "store" / "blobs" / "sha256").exists()


@pytest.mark.usefixtures("empty")
def test_home_and_server_url_name_the_store(run: Run, tmp_path: Path, demo_images: Path) -> None:
    picture = demo_images / "xray" / "cr_16bit.png"
    assert run("import", picture, "--project", "here", "--home", tmp_path / "a").code == 0
    assert run("ls", "--json").json["projects"] == []
    by_url = run("ls", "--json", "--server-url", (tmp_path / "a").as_uri()).json
    assert [each["name"] for each in by_url["projects"]] == ["here"]
    assert by_url["store"] == (tmp_path / "a").as_uri()


def test_a_server_needs_a_key_which_no_option_takes(run: Run) -> None:
    done = run("ls", "--server-url", "https://somewhere")
    assert done.code == 1
    assert "DATAMINT_LIKE_API_KEY" in done.err
    assert run("ls", "--api-key", "secret").code == 2
    assert "DATAMINT_LIKE_API_KEY" in run("ls", "--help").out


@pytest.mark.parametrize("option", ["--home", "--server-url"])
def test_a_store_in_a_home_of_nobody_is_one_line_and_exit_code_1(run: Run, option: str) -> None:
    done = run("ls", option, "~nosuchuser/store")
    assert (done.code, done.out) == (1, "")
    assert "~nosuchuser/store" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nothing",),
        ("import",),
        ("import", "x"),
        ("import", "x", "--project", "a", "--copy", "--link"),
        ("import", "x", "--project", "a", "--on-error", "ask"),
        ("ls", "--home", "a", "--server-url", "b"),
    ],
)
def test_wrong_usage_is_exit_code_2(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "usage: datamint-like" in done.err


@pytest.mark.parametrize("command", [(), ("import",), ("ls",)])
def test_help_holds_an_example_and_the_exit_codes(run: Run, command: tuple[str, ...]) -> None:
    done = run(*command, "--help")
    assert done.code == 0
    assert "example:\n  datamint-like" in done.out
    for code in (
        "0  all done",
        "1  an error",
        "2  the command line",
        "3  done, but files",
        "130  interrupted",
        "141  nobody reads",
    ):
        assert code in done.out
    assert "demo" in run("--help").out


def test_the_version_is_that_of_the_package(run: Run) -> None:
    assert run("--version").out == f"datamint-like {__version__}\n"


def test_the_installed_command_does_the_same(tmp_path: Path, demo_images: Path) -> None:
    command = Path(sys.executable).with_name("datamint-like")
    start = [str(command)] if command.exists() else [sys.executable, "-m", "datamint_like.cli.main"]
    home = ["--home", str(tmp_path / "home"), "--json"]
    picture = str(demo_images / "xray" / "cr_16bit.png")
    made = subprocess.run([*start, "import", picture, "--project", "p", *home], capture_output=True, text=True)
    assert (made.returncode, made.stderr) == (0, "")
    listed = subprocess.run([*start, "ls", "p", *home], capture_output=True, text=True, check=True)
    assert json.loads(listed.stdout)["resources"][0]["id"] == json.loads(made.stdout)["imported"][0]["id"]
    failed = subprocess.run([*start, "ls", "q", *home], capture_output=True, text=True)
    assert failed.returncode == 1
    assert failed.stderr.startswith("datamint-like: Project 'q' was not found")
    assert failed.stderr.count("\n") == 1


def test_the_command_line_starts_without_heavy_libraries() -> None:
    heavy = ("torch", "cv2", "albumentations", "pydicom", "nibabel", "sqlalchemy")
    code = (
        "import sys; from datamint_like.cli.main import main; main(['--version']); "
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("arguments", [["ls"], ["ls", "chest", "--json"], ["ls", "nothing", "--json"]])
def test_an_output_that_is_full_is_one_line_and_exit_code_1(arguments: list[str]) -> None:
    code = f"import sys; from datamint_like.cli.main import main; sys.exit(main({arguments!r}))"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "datamint-like: the output cannot be written: No space left on device."
    assert "Traceback" not in done.stderr


COMMANDS = [["ls"], ["ls", "chest", "--json"], ["--help"], ["--version"]]


def program(arguments: list[str]) -> list[str]:
    return [sys.executable, "-c", f"import sys; from datamint_like.cli.main import main; sys.exit(main({arguments!r}))"]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("arguments", COMMANDS)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_gone_is_exit_code_141_without_a_word(
    arguments: list[str], unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(program(arguments), stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def in_shell(arguments: list[str], streams: str) -> subprocess.CompletedProcess[str]:
    """A command with streams as the shell's words say; its exit code comes last on standard error."""
    script = f"{shlex.join(program(arguments))} {streams}; echo $? >&2"
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("arguments", COMMANDS)
@pytest.mark.parametrize("streams", [">&-", "<&- >&-"])
def test_a_closed_output_is_exit_code_141_without_a_word(arguments: list[str], streams: str) -> None:
    done = in_shell(arguments, streams)
    assert (done.stdout, done.stderr) == ("", "141\n")


@pytest.mark.usefixtures("filled")
def test_an_error_keeps_its_code_and_its_line_when_the_output_is_closed() -> None:
    done = in_shell(["ls", "nothing"], ">&-")
    assert done.stderr.splitlines()[-1] == "1"
    assert done.stderr.startswith("datamint-like: Project 'nothing' was not found")
    assert in_shell(["ls", "nothing"], "2>&-").stdout == ""


def test_an_import_with_every_stream_closed_does_its_work(demo_images: Path) -> None:
    done = in_shell(["import", str(demo_images / "ct_ge"), "--project", "quiet"], "<&- >&- 2>&-")
    assert done.stderr == "141\n"
    with Api() as api:
        (volume,) = api.projects.get_project_resources("quiet")
        assert api.backend.blobs().part_path(api.backend.list_parts([volume.id])[volume.id][0], "x").exists()
