"""Every system on a card that is not there (fake_gpu.py): nothing mixes devices, and no step waits or copies."""
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from core.contract import systems as registry

DRIVER = Path(__file__).with_name("fake_gpu.py")
NAMES = [name for name, row in registry.systems().items() if row.raw["parts"]]


@pytest.fixture(scope="module")
def found():
    done = subprocess.run([sys.executable, DRIVER, *NAMES], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


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
    assert sum(count for (what, _), count in few.items() if what == "wait") <= 2


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
