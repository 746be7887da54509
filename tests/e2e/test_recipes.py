# SPDX-License-Identifier: Apache-2.0
"""The recipes that come with varve, from the registries that this host is set up with."""
import pathlib
import shutil

import pytest

RECIPES = pathlib.Path(__file__).resolve().parents[2] / "recipes"


@pytest.mark.parametrize("name, image", [("web", "varve-demo/web:latest")])
def test_a_recipe_as_of_today(varve, name, image):
    """Locked anew: what the lock that comes with it names may be gone from mirrors."""
    shutil.copy(RECIPES / f"{name}.yaml", varve.directory)
    shutil.copytree(RECIPES / name, varve.directory / name)
    varve.account.own(varve.directory / name)
    probe = varve("lock", f"{name}.yaml", rc=None, timeout=300)
    if probe.rc in (3, 4):
        pytest.skip(f"no registry: {probe.stderr.strip().splitlines()[-1]}")
    assert probe.rc == 0, probe
    text = varve.path(f"{name}.lock.json").read_text()
    assert "http://" not in text and "https://" not in text
    varve("fetch", f"{name}.yaml", timeout=600)
    varve("build", f"{name}.yaml", "--offline", timeout=600)
    assert varve("validate", image, timeout=120).rc == 0
    layers = varve("inspect", image).stdout
    assert "install wheels: numpy" in layers
