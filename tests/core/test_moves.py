"""Settings of types folder and actions: what is asked, what the worker reads for them, what a recipe says."""
import json

import numpy as np
import pytest
from job_folder import dancing, write_rig
from rigs import mixamo_rig

from core.contract import systems as registry
from core.contract.systems import Refused, Setting
from core.motion_files import write_bvh
from core.motion_files.moves import Move
from core.pipelines.media import described, kind_of, read_media
from core.worker.generate import _moves
from models.lab.studio.dancer import dance
from models.lab.studio.plan import make_plan

FOLDER = {"type": "folder", "label": "Folder", "tip": "", "reads": "motions", "needed": "Choose one"}
ACTIONS = {"type": "actions", "label": "Actions", "tip": ""}


def test_what_may_be_asked():
    folder, actions = Setting("folder", FOLDER), Setting("actions", ACTIONS)
    assert folder.check("") is None and folder.check("/moves") == "/moves" and folder.needed == "Choose one"
    assert folder.default == "" and folder.absent is None and actions.absent is None and actions.needed is None
    assert kind_of(folder) == kind_of(actions) == "motions"
    assert actions.check(["Walk", "Jig"]) == ["Walk", "Jig"] and actions.check(None) is None
    for wrong in ("Walk", 3, [3]):
        with pytest.raises(Refused, match="list of names"):
            actions.check(wrong)
    with pytest.raises(Refused, match="must be a folder"):
        folder.check(3)


def test_a_folder_is_read_and_described(tmp_path):
    system = registry.systems()["my_moves"]
    write_bvh(tmp_path / "jig.bvh", dance(make_plan("dance", 3, genre="house", duration=4.0)))
    (tmp_path / "note.bvh").write_text("nothing")
    told = []
    values = read_media(system, {"folder": str(tmp_path), "genre": "salsa"}, told.append)
    assert [move.name for move in values["folder"]] == ["jig"] and values["genre"] == "salsa"
    assert len(told) == 1 and "note.bvh" in told[0]
    assert described(values["folder"]) == {"moves": 1, "seconds": pytest.approx(4.0, abs=0.1)}


def test_the_worker_reads_actions_with_their_names_and_beats(tmp_path):
    beats, rig = {"times": [0.0, 0.5, 1.0], "positions": [1, 2, 3], "metre": 4}, mixamo_rig()
    for number, told in ((1, {"name": "Walk", "beats": beats}), (2, {"name": "Jig", "beats": None})):
        (tmp_path / str(number)).mkdir()
        write_rig(tmp_path / str(number), rig, *dancing(rig, 2.0))
        (tmp_path / str(number) / "move.json").write_text(json.dumps(told))
    walk, jig = _moves(tmp_path, lambda sentence: None)
    assert isinstance(walk, Move) and (walk.name, jig.name) == ("Walk", "Jig") and jig.beats is None
    assert np.allclose(walk.beats.times, beats["times"]) and len(walk.motion) > 50
