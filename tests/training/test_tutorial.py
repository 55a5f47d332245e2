"""The tutorial notebook runs from top to bottom, and is committed with its outputs."""

from __future__ import annotations

import nbclient
import nbformat
import pytest

from tests.support.paths import ROOT

TUTORIAL = ROOT / "docs" / "tutorial.ipynb"
LIMIT_BYTES = 500_000


@pytest.fixture(scope="module")
def committed() -> nbformat.NotebookNode:
    """The notebook as it is committed."""
    return nbformat.read(TUTORIAL, as_version=4)


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the outputs of all cells."""
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_the_tutorial_runs(committed: nbformat.NotebookNode) -> None:
    notebook = nbformat.from_dict({**committed, "cells": [dict(cell) for cell in committed.cells]})
    resources = {"metadata": {"path": str(TUTORIAL.parent)}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    pictures = [output for output in outputs(notebook) if "image/png" in output.get("data", {})]
    assert len(pictures) == 3
    text = "".join(output.get("text", "") for output in outputs(notebook))
    assert "of the pixels differ" in text
    assert "the last mask took" in text


def test_the_committed_tutorial_has_its_outputs_and_names_no_machine(committed: nbformat.NotebookNode) -> None:
    assert sum("image/png" in output.get("data", {}) for output in outputs(committed)) == 3
    assert not any(output.output_type == "error" for output in outputs(committed))
    assert TUTORIAL.stat().st_size < LIMIT_BYTES
    assert "/tmp/" not in TUTORIAL.read_text()
    assert "/root/" not in TUTORIAL.read_text()
