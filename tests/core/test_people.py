"""Several people in one BVH, and files that are scenes."""
import numpy as np
import pytest

from core.body.kinematics import forward_kinematics
from core.contract.bvh_roots import roots, roots_of
from core.errors import BadInput
from core.motion_files import read_motion
from core.motion_files.bvh import format_bvh
from models.lab.studio.dancer import dance
from models.lab.studio.plan import make_plan


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A file of two dancers and a camera, and the motions."""
    people = [dance(make_plan("dance", seed, genre="house", duration=2.0)) for seed in (3, 4)]
    texts = [format_bvh(motion) for motion in people]
    trees = [text[len("HIERARCHY\n"):text.index("MOTION")] for text in texts]
    rows = [text[text.index("MOTION"):].split("\n")[3:] for text in texts]
    head = texts[0][texts[0].index("MOTION"):].split("\n")[:3]
    camera = "ROOT Camera\n{\nOFFSET 0 0 0\nCHANNELS 3 Xposition Yposition Zposition\nEnd Site\n{\nOFFSET 0 0 1\n}\n}\n"
    path = tmp_path_factory.mktemp("two") / "two.bvh"
    path.write_text("HIERARCHY\n" + camera + "".join(trees) + "\n".join(head) + "\n"
                    + "\n".join(f"9 9 9 {one} {other}" for one, other in zip(*rows) if one.strip()) + "\n")
    return path, people


def apart(a, b):
    one, two = (forward_kinematics(m.rotations[:50], m.root[:50])[1] for m in (a.canonical(), b.canonical()))
    return float(np.abs(one - two).max())


def test_each_is_read_by_name(two):
    path, people = two
    names = roots(path)
    assert names == ["Camera", "pelvis", "pelvis.001"]
    notes = []
    assert apart(read_motion(path, notify=notes.append), people[0]) < 1e-3
    assert len(notes) == 1 and "2 people: pelvis, pelvis.001" in notes[0] and "--root pelvis.001" in notes[0]
    assert apart(read_motion(path, root="pelvis.001"), people[1]) < 1e-3
    assert apart(read_motion(path, root="PELVIS"), people[0]) < 1e-3
    with pytest.raises(BadInput, match="no joint 'Bob'; its roots are Camera, pelvis, pelvis.001"):
        read_motion(path, root="Bob")
    assert roots(path.with_name("none.bvh")) == []
    assert roots_of("HIERARCHY\nRoot Root_1\n{\njoint Root\n{\n}\n}\nroot Hips\n{\n}\nMotion\nroot Nobody") == [
        "Root_1", "Hips"]                       # the reader takes the words in small letters, too


@pytest.mark.parametrize("name", ["a.fbx", "a.glb", "a.GLTF", "a.usdz", "a.blend"])
def test_scenes_are_for_blender(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(BadInput, match="is a scene.*import it in Blender.*source of Motion onto Rig"):
        read_motion(tmp_path / name)
