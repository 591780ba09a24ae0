"""The code that goes to a rented card, in a folder without the rest: each of the four systems trains there."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("torch")

from core.errors import BadInput  # noqa: E402
from models.lab.packs.code import copy, main  # noqa: E402
from models.lab.studio import conducted_flat  # noqa: E402
from models.lab.studio.build import item_plan  # noqa: E402
from tests.models import dance_fixtures, momu_fixtures  # noqa: E402

# All that is installed there beside the standard library, and what these need themselves.
THERE = ("torch", "numpy", "scipy", "safetensors")
DRIVER = """
import importlib.machinery, importlib.metadata as known, json, re, sys
ours = {"core", "models"}
def needed(name, found):
    if name not in found:
        found.add(name)
        for line in known.requires(name) or []:
            if "extra ==" not in line:
                word = re.match(r"[\\w.-]+", line)[0]
                try:
                    needed(word, found)
                except known.PackageNotFoundError:
                    pass
    return found
there = set().union(*(needed(name, set()) for name in json.loads(sys.argv[1])))
normal = lambda name: re.sub(r"[-_.]+", "-", name).lower()
there = {normal(name) for name in there}
absent = {top for top, names in known.packages_distributions().items() if not {normal(n) for n in names} & there} - ours
class Absent:
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name.split(".")[0] in absent else None
    def create_module(self, spec):
        raise ModuleNotFoundError(f"No module named {spec.name!r}", name=spec.name)
    def exec_module(self, module):
        pass
sys.meta_path.insert(0, Absent())
from models.training.export import main as export
from models.training.loop import main as train
import models
assert models.__file__.startswith(sys.argv[3]), models.__file__
for words in json.loads(sys.argv[2]):
    made = (export if words[0] == "export" else train)(words[1:])
    assert made == 0, (made, words)
assert not absent & {name.split(".")[0] for name in sys.modules}
"""


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """{system: flat corpus}"""
    root = tmp_path_factory.mktemp("flat")
    for split, seeds in (("train", range(2)), ("valid", [800_000])):
        dance_fixtures.write_corpus(root / "dances" / split, seeds, split, seconds=6.0)
    for seed in (1, 2, 800_000):
        plan = item_plan("conducting", seed, 8.0)
        np.savez(root / f"{seed}.npz", mel=np.full((240, 64), 9, np.uint8), level=conducted_flat.silent_level(plan),
                 plan=json.dumps(plan.to_json()))
    conducted_flat.gather([root / f"{seed}.npz" for seed in (1, 2, 800_000)], root / "conducted")
    sounding = momu_fixtures.write_corpus(root / "sounding")
    return {"dance_cascade": root / "dances", "conductor": root / "conducted", "momu": sounding, "music_ldm": sounding}


def test_each_system_trains_in_a_folder_without_the_rest(corpora, tmp_path):
    assert main([str(tmp_path / "code")]) == 0
    jobs, runs = [], tmp_path / "runs"
    for system, part, config, *said in (
            ("dance_cascade", "encoder", "tiny"), ("dance_cascade", "base", "tiny", f"encoder={runs / 'encoder'}"),
            ("momu", "motion_vae", "tiny"), ("momu", "motion_dit", "tiny", f"motion_vae={runs / 'motion_vae'}"),
            ("conductor", "encoder", "tiny-feet"),
            ("conductor", "denoiser", "tiny-feet", f"stage1={runs / 'conductor-encoder'}"),
            ("music_ldm", "denoiser", "tiny", "latent=64", f"latent_mean={[0.0] * 64}", f"latent_std={[1.0] * 64}")):
        run = runs / (part if (system, part) != ("conductor", "encoder") else "conductor-encoder")
        run = run.with_name(f"{system}-denoiser") if part == "denoiser" else run
        words = ["train", system, part, "--config", config, "--corpus", str(corpora[system]), "--cache",
                 str(tmp_path / "cache" / system), "--out", str(run), "--steps", "1", "--validations", "0", "--device",
                 "cpu", "--threads", "1"]
        jobs += [words + [word for each in said for word in ("--set", each)],
                 ["export", str(run), run.name, "--checkpoints", str(tmp_path / "out")]]
    done = subprocess.run([sys.executable, "-c", DRIVER, json.dumps(THERE), json.dumps(jobs), str(tmp_path / "code")],
                          cwd=tmp_path / "code", capture_output=True, text=True, timeout=600,
                          env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert len(list((tmp_path / "out").glob("*.safetensors"))) == 7


def test_it_is_small_and_overwrites_nothing(tmp_path):
    assert copy(tmp_path / "code") > 100
    whole = [path for path in (tmp_path / "code").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in whole) < 5e6
    assert not any("blender_addon" in path.parts or path.suffix == ".safetensors" for path in whole)
    with pytest.raises(BadInput, match="exists already"):
        copy(tmp_path / "code")
