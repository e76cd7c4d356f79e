"""Build notebooks from their sources, execute them, and write them with their outputs.

    python notebooks/build.py [NAME ...] [--output FOLDER]

Without names, all of `NOTEBOOKS`. A source is a script with `# %%` (code) and `# %% [markdown]` (text) cells. Nothing
of the machine or the time of the run goes into the file, so that building it again changes only what its cells print.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

HERE = Path(__file__).resolve().parent
#: Each notebook, without its suffix, and the script it is built from.
NOTEBOOKS = {
    "01_first_dataset": "first_dataset.py",
    "02_annotators_and_merging": "annotators_and_merging.py",
    "03_splits_without_leakage": "splits_without_leakage.py",
    "04_volumes_slices_patches": "volumes_slices_patches.py",
    "05_server_for_a_team": "server_for_a_team.py",
    "06_prefetch_and_replay": "prefetch_and_replay.py",
}
_MARK = re.compile(r"^# %%(?P<text> \[markdown\])?[^\S\n]*\n", re.MULTILINE)


def source_of(name: str) -> Path:
    """The script that a notebook is built from."""
    return HERE / f"{name.partition('_')[2]}.py"


def notebook_of(script: str) -> NotebookNode:
    """The notebook, not executed, of a script with cell marks."""
    marks = list(_MARK.finditer(script))
    ends = [mark.start() for mark in marks[1:]] + [len(script)]
    cells = []
    for number, (mark, end) in enumerate(zip(marks, ends, strict=True)):
        body = script[mark.end() : end].strip()
        text = re.sub(r"^# ?", "", body, flags=re.MULTILINE)
        cell = new_markdown_cell(text) if mark["text"] else new_code_cell(body)
        cell["id"] = f"cell-{number:02d}"
        cells.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def executed(notebook: NotebookNode) -> NotebookNode:
    """The same notebook with the outputs of its cells; the first error of a cell is raised."""
    done = NotebookClient(notebook, timeout=300, kernel_name="python3", record_timing=False).execute()
    done["metadata"]["language_info"] = {"name": "python"}
    for cell in done["cells"]:
        if "outputs" in cell:
            cell["outputs"] = _joined(cell["outputs"])
    return done


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The outputs, with text that a kernel sent in pieces (by chance) in one piece."""
    joined: list[NotebookNode] = []
    for output in outputs:
        before = joined[-1] if joined else {}
        if output["output_type"] == "stream" and output["name"] == before.get("name"):
            before["text"] += output["text"]
        else:
            joined.append(output)
    return joined


def main() -> None:
    parser = argparse.ArgumentParser(description="Build and execute notebooks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NOTEBOOKS))
    parser.add_argument("--output", type=Path, default=HERE, metavar="FOLDER")
    options = parser.parse_args()
    for name in options.names or NOTEBOOKS:
        output = options.output / f"{name}.ipynb"
        nbformat.write(executed(notebook_of((HERE / NOTEBOOKS[name]).read_text(encoding="utf-8"))), output)
        print(f"{output.name}: {output.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
