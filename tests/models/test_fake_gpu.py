"""Every system on a card that is not there (fake_gpu.py): nothing mixes devices, and no step waits or copies; and a
training step of every part."""
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from core.contract import systems as registry

DRIVER = Path(__file__).with_name("fake_gpu.py")
NAMES = [name for name, row in registry.systems().items() if "steps" in row.settings]       # those that sample


# (system, part, configuration): its corpus, and the settings that name the runs it stands on.
PARTS = {("momu", "motion_vae", "tiny"): ("flat", {}),
         ("momu", "music_dit", "tiny"): ("flat", {"motion_vae": "momu-motion_vae-tiny"}),
         ("momu", "motion_dit", "tiny"): ("flat", {"motion_vae": "momu-motion_vae-tiny"}),
         ("momu", "timing", "tiny"): ("flat", {"motion_vae": "momu-motion_vae-tiny"}),
         ("momu", "contrast", "tiny"): ("flat", {"motion_vae": "momu-motion_vae-tiny", "timing": "momu-timing-tiny"}),
         ("dance_cascade", "encoder", "tiny"): ("flat", {}),
         ("dance_cascade", "super_resolution", "tiny"): ("flat", {}),
         ("dance_cascade", "base", "tiny"): ("flat", {"encoder": "dance_cascade-encoder-tiny"}),
         ("music_ldm", "vae", "tiny"): ("corpus", {}), ("music_ldm", "vae", "tiny-paper"): ("corpus", {}),
         ("music_ldm", "denoiser", "tiny"): ("corpus", {"vae": "music_ldm-vae-tiny"}),
         ("music_ldm", "denoiser", "tiny-paper"): ("corpus", {"vae": "music_ldm-vae-tiny-paper"}),
         ("music_ldm", "denoiser", "tiny-paper-code"): ("corpus", {"vae": "music_ldm-vae-tiny-paper"}),
         ("music_ldm", "denoiser", "release"): ("flat", {}),
         ("music_ldm", "vocoder", "tiny"): ("corpus", {}),
         ("music_ldm", "vocoder", "tiny-adversarial"): ("sounds.zip", {"sharpen": "music_ldm-vocoder-tiny",
                                                                       "vae": "music_ldm-vae-tiny"}),
         ("rhythm", "body", "tiny"): ("corpus", {}), ("rhythm", "music", "tiny"): ("corpus", {}),
         ("rhythm", "music", "tiny-wide"): ("corpus", {}),
         ("genre", "audio", "tiny"): ("corpus", {}), ("genre", "motion", "tiny"): ("corpus", {}),
         ("conductor", "encoder", "tiny"): ("conducted", {}),
         ("conductor", "denoiser", "tiny"): ("conducted", {"stage1": "conductor-encoder-tiny"}),
         ("conductor", "players", "tiny"): ("heard", {})}

# What is measured on shards and must be said of a flat corpus.
SAID = {("music_ldm", "denoiser", "release"): {"latent_mean": [0.0] * 64, "latent_std": [1.0] * 64,
                                               "motion_mean": [0.0] * 360, "motion_std": [1.0] * 360}}


def driven(*jobs):
    done = subprocess.run([sys.executable, DRIVER, *jobs], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def found():
    return driven(*NAMES)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """{(system, part, configuration): what a step on the card did}; runs that others stand on are made on the CPU."""
    from models.lab.packs.shards import convert
    from models.music_ldm.sound_pack import encode, write_pack
    from models.training.loop import main
    from models.training.shards import write_shard
    from tests.models.conductor_fixtures import conducted_item, conducted_noise
    from tests.models.music_fixtures import noise_item
    root = tmp_path_factory.mktemp("card")
    for split in ("train", "valid"):
        items = [noise_item(10 * (split == "valid") + number, split) for number in range(2)]
        write_shard(root / "corpus" / f"{split}.safetensors", [({**meta, "source": "studio"}, arrays)
                                                               for meta, arrays in items])
        write_shard(root / "conducted" / f"{split}.safetensors", [conducted_item(seed, split) for seed in range(2)])
    convert(root / "corpus", root / "flat", say=len)
    conducted_noise(root / "heard", (1, 2, 800_000))
    sounds = {split: noise_item(0, split)[1]["audio"][:5 * 48_000].T / 32768 for split in ("train", "valid")}
    write_pack(root / "sounds.zip", [({"id": split, "split": split, "genre": "house", "scale": 1.0}, encode(sound))
                                     for split, sound in sounds.items()])
    needed = {run for _, needs in PARTS.values() for run in needs.values()}
    for (system, part, config), (corpus, needs) in PARTS.items():
        run = f"{system}-{part}-{config}"
        if run in needed:
            stands_on = [word for name, other in needs.items() for word in ("--set", f"{name}={root / other}")]
            assert main([system, part, "--config", config, "--corpus", str(root / corpus), "--steps", "1", "--cache",
                         str(root / system), "--out", str(root / run), "--validations", "0", "--device", "cpu",
                         *stands_on]) == 0
    jobs = {}
    for (system, part, config), (corpus, needs) in PARTS.items():
        changes = {name: str(root / run) for name, run in needs.items()} | SAID.get((system, part, config), {})
        jobs[system, part, config] = json.dumps([system, part, config, str(root / corpus), str(root / system),
                                                 {**changes, "on_card": corpus in ("flat", "heard", "sounds.zip")}])
    done = driven(*jobs.values())
    return {name: done[job] for name, job in jobs.items()}


@pytest.mark.parametrize("system, part, config", PARTS)
def test_a_part_trains_on_a_card(trained, system, part, config):
    """Nothing mixes devices. A step sends the batch alone, where it is read ahead, and waits once, for the norm of the
    gradients, which a real card is not asked for."""
    step = trained[system, part, config]
    assert "error" not in step, "\n".join(step["error"])
    assert step["loss"] == [] and step["where"].startswith("gpu")
    sent = [where for what, where in step["log"] if what == "up" and not where.startswith("?")]
    waits = [where for what, where in step["log"] if what != "up" and "vocoder" not in where]
    assert sent == [] and len(waits) <= 1, (sent, waits)


@pytest.mark.parametrize("name", NAMES)
def test_a_system_runs_on_a_card(found, name):
    assert "error" not in found[name], "\n".join(found[name]["error"])
    row = registry.find(name)
    assert found[name]["audio"] == ([2, 6 * 48_000] if row.to in ("sound", "both") else None)
    assert (found[name]["frames"] or 0) >= (6 * 30 if row.to in ("motion", "both") else 0)


@pytest.mark.parametrize("name", NAMES)
def test_no_step_copies_to_the_card_or_waits_for_it(found, name):
    few, many = (Counter(map(tuple, found[name][steps])) for steps in ("3", "6"))
    assert few == many, many - few
    assert sum(few.values()) <= 40, few.most_common(8)
    waits = {where: count for (what, where), count in few.items() if what == "wait"}
    assert sum(waits.values()) <= 1, waits                   # whether a style is known is asked once


def test_what_mixes_devices_is_found():
    code = """
import fake_gpu, torch
log = fake_gpu.install()
with fake_gpu.card(log):
    layer = torch.nn.Linear(3, 3).to("gpu")
    for act in (lambda: layer(torch.ones(1, 3)), lambda: layer(torch.ones(1, 3).to("gpu")).detach().numpy(),
                lambda: layer(torch.ones(1, 3).to("gpu")).bfloat16().detach().cpu().numpy()):
        try:
            act()
        except (RuntimeError, TypeError) as error:
            print(str(error).splitlines()[0])
    float(layer(torch.ones(1, 3).to("gpu")).sum())
    print(log[-1][0], len(log))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=DRIVER.parent)
    lines = done.stdout.splitlines()
    assert len(lines) == 4 and "same device" in lines[0] and "numpy is given a tensor of the card" in lines[1], done
    assert "numpy has no torch.bfloat16" in lines[2] and lines[3].startswith("wait")
