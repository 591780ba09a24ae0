"""Every number that a paper states stands in its configuration `paper`; every command of docs/papers.md can be read."""
import importlib
import re
import shlex
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "papers.md"
STATED = [
    # Tan et al. 2023, sections 3.1, 3.3, 4.2; the VAE is that of teticio/audio-diffusion.
    ("music_ldm", "vae", "paper", dict(dims=2, widths=(128, 256, 512, 512), blocks=2, latent=1, mel="image", kl=1e-6,
                                       adversarial=0.5, downsample=8)),
    ("music_ldm", "denoiser", "paper", dict(
        dims=2, memory=0, motion_rate=30.0, rhythm=False, timbre=0, prediction="eps", batch=8, lr=1e-4,
        betas=(0.9, 0.999), mel_frames=224, window=28, sliced=True)),
    # Their released code, where it differs.
    ("music_ldm", "denoiser", "paper_code", dict(
        widths=(128, 256, 512, 512), cross_levels=3, schedule="linear", betas=(0.95, 0.999), weight_decay=1e-6,
        drop_all=0.0, scale="minmax", centred=False, mel_frames=256, window=32, ema=0.9999, batch=8, lr=1e-4)),
    # Diffusion-Conductor: the published code (linear betas 1e-4 to 0.02 are the schedule's own).
    ("conductor", "denoiser", "paper", dict(
        representation="keypoints13", channels=26, layers=8, width=128, heads=8, ffn=64, style=512, patch=1, kernel=1,
        dropout=0.0, window=900, timesteps=1000, steps=1000, prediction="x0", guidance_scale=1.0, frame_dropout=0.1,
        weight_velocity=0.1, weight_head=0.1, batch=32, learning_rate=2e-4, clip=0.5, rhythm=False, level=False)),
    ("conductor", "encoder", "paper", dict(
        bands=128, mel_rate=90, music_widths=(16, 32, 32), motion_width=32, motion_blocks=10, features=64,
        clip_seconds=10.0, batch=10, learning_rate=1e-3, context=())),
    # DiffDance.
    ("dance_cascade", "encoder", "paper", dict(
        adapter=512, embedding=512, clip_seconds=6.0, motion_fps=30, batch=64, learning_rate=1e-5, hard=False,
        pool="clip")),
    ("dance_cascade", "base", "paper", dict(
        fps=15, window=300, layers=12, width=768, heads=6, dropout=0.1, null_dropout=0.1, guidance_scale=2.5,
        timesteps=100, steps=100, decay=0.1, weight_position=1.0, weight_step=1.0, weight_rotation=1.0, batch=32,
        learning_rate=1e-4, attention=True, rhythm=False, style=False, energy=False, music="aligned")),
    ("dance_cascade", "super_resolution", "paper", dict(
        fps=60, window=1200, low=True, batch=8, layers=12, width=768, heads=6, guidance_scale=2.5, music="aligned",
        learning_rate=1e-4)),
    # MoMu-Diffusion: sizes were not found; what is printed is the form of the losses.
    ("momu", "motion_vae", "paper", dict(heads=False, overlap=True, tau=0.07)),
    ("momu", "music_dit", "paper", dict(kind="transformer", prediction="eps", rhythm=False, style=False, code=0,
                                        drop_all=0.1, condition_noise=0.0)),
]


@pytest.mark.parametrize("system, part, name, stated", STATED)
def test_the_papers_numbers(system, part, name, stated):
    config = importlib.import_module(f"models.{system}.config").CONFIGS[part][name]
    assert {key: getattr(config, key) for key in stated} == stated


def lines():
    """The commands of the page."""
    found = re.findall(r"^    ((?:python3 build\.py|\.venv/bin/python -m) \S.*)$", PAGE.read_text(), re.MULTILINE)
    return [re.split(r"\s{4,}", line)[0] for line in found]


def test_the_page_has_each_chain_from_the_data_to_a_table():
    page = PAGE.read_text()
    for system in ("Tan et al.", "Diffusion-Conductor", "DiffDance", "MoMu-Diffusion"):
        chain = page.split(f"## {system}")[1].split("\n## ")[0]
        for step in ("train import", "train ", "--config paper", "models.training.export", "-m core ", "evaluate "):
            assert step in chain, f"{system}: no {step}"


@pytest.mark.parametrize("line", [line for line in lines() if " train " in line and " import " not in line])
def test_trainings_of_the_page_can_be_started(line):
    """Part, configuration and every --set are known, and what a part stands on is named."""
    from models.training.task import make_task, parse_overrides
    words = shlex.split(line.replace("python3 build.py train ", ""))
    system, part, options = words[0], words[1], words[2:]
    given = [options[at + 1] for at, word in enumerate(options) if word == "--set"]
    task = make_task(system, part, options[options.index("--config") + 1], parse_overrides(given))
    for name in ("vae", "motion_vae", "encoder", "stage1"):
        if isinstance(getattr(task.config, name, None), str):
            assert getattr(task.config, name), f"{line}: --set {name}=RUN is missing"


@pytest.mark.parametrize("line", [line for line in lines() if " -m core " in line])
def test_the_command_line_reads_the_page(line):
    from core.cli import make_parser
    options = make_parser().parse_args(shlex.split(line.split(" -m core ")[1]))
    assert options.checkpoints == ["OWN"] or options.checkpoints == "OWN"
