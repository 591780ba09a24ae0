"""models.motion.representation and losses: there and back, mirror, place and facing, geometric losses in metres."""
import numpy as np
import pytest
import torch

from core.body.kinematics import forward_kinematics
from core.body.motion import Motion, rest_motion
from core.body.rotations import axis_angle_to_matrix
from models.lab.studio.dancer import dance
from models.lab.studio.plan import make_plan
from models.motion import losses
from models.motion.representation import (
    CHANNELS,
    FEET,
    Standard,
    decode,
    encode,
    from_vector,
    headings,
    mirrored,
    start_of,
    to_vector,
    trajectory,
)


@pytest.fixture(scope="module")
def motion():
    torch.set_num_threads(1)
    return dance(make_plan("dance", 4, genre="house", duration=6.0)).moved(0.7, after=(1.0, -2.0))


def same(a, b, tolerance=2e-4):
    assert np.abs(a.positions() - b.positions()).max() < tolerance
    assert np.abs(a.rotations - b.rotations).max() < tolerance


def test_there_and_back(motion):
    vector = to_vector(motion)
    assert vector.shape == (len(motion), CHANNELS) and vector.dtype == np.float32
    same(from_vector(vector, motion.fps, start_of(motion)), motion)


def test_the_vector_does_not_know_where_it_stands(motion):
    assert np.abs(to_vector(motion) - to_vector(motion.moved(2.0, after=(5.0, 3.0)))).max() < 1e-3


def test_every_second_vector_is_a_passage_at_half_the_rate(motion):
    rotations, root = torch.from_numpy(motion.rotations), torch.from_numpy(motion.root)
    for phase in (0, 1):
        half = encode(rotations, root, motion.fps, stride=2)[phase::2].numpy()
        expected = Motion(motion.rotations[phase::2], motion.root[phase::2], motion.fps / 2)
        same(from_vector(half, motion.fps / 2, start_of(expected)), expected)


def test_mirror_is_the_motions_mirror(motion):
    assert np.abs(mirrored(to_vector(motion)) - to_vector(motion.mirrored())).max() < 1e-3
    both = mirrored(mirrored(torch.from_numpy(to_vector(motion)))).numpy()
    assert np.abs(both - to_vector(motion)).max() < 1e-6


def test_heading_survives_lying_down_and_being_upside_down():
    still = rest_motion(60)
    for axis in ([1.0, 0, 0], [0, 1.0, 0]):
        pitch = axis_angle_to_matrix(np.outer(np.linspace(0, 2 * np.pi, 60), axis))
        pelvis = pitch @ still.rotations[:, 0]
        turn = headings(pelvis)
        assert np.abs(np.diff(turn)).max() < 0.35 and abs(turn[15]) < 0.1


def test_spinning_many_turns_is_unwrapped():
    turn = np.linspace(0, 5 * np.pi, 90)
    pelvis = axis_angle_to_matrix(np.outer(turn, [0, 0, 1.0])) @ rest_motion(90).rotations[:, 0]
    assert np.allclose(headings(pelvis), turn, atol=1e-3)


def test_standing_is_contact_and_jumping_is_not():
    still = to_vector(rest_motion(30))
    assert still[:, 148:].min() > 0.99
    jump = rest_motion(30)
    jump.root[:, 2] += 0.3
    assert to_vector(jump)[:, 148:].max() < 0.01


def test_statistics_travel_in_the_state_dict(motion):
    vectors = torch.from_numpy(to_vector(motion))
    standard = Standard()
    standard.measure(vectors)
    again = Standard()
    again.load_state_dict(standard.state_dict())
    assert torch.allclose(again.restore(again(vectors)), vectors, atol=1e-4)
    assert standard.std.min() >= 0.02 and abs(float(standard(vectors)[:, 3].mean())) < 1e-3


def test_steps_are_the_velocities_of_joints_over_the_floor(motion):
    vectors = torch.from_numpy(to_vector(motion))[None]
    _, positions = losses.body(vectors)
    moves = losses.steps(vectors, positions, motion.fps)[0]
    world = torch.from_numpy(motion.positions())
    true = (world[1:] - world[:-1]) * motion.fps
    assert torch.allclose(moves.norm(dim=-1), true.norm(dim=-1), atol=5e-3)
    planted = vectors[0, :, 148:]
    slide = losses.foot_slide(moves[None], planted[None])
    assert float(slide.sqrt().max()) < 0.5


def test_forward_kinematics_runs_on_metres_not_on_standardised_values(motion):
    """The published slip (systems.md 6): with normalised input the key-joint error of a leg would not be in metres."""
    vectors = torch.from_numpy(to_vector(motion))[None]
    higher = vectors.clone()
    higher[..., 3] += 0.1
    error = losses.position_error(losses.body(higher)[1], losses.body(vectors)[1])
    assert torch.allclose(error, torch.full_like(error, 0.01), atol=1e-5)


def test_losses_see_only_valid_frames_and_give_gradients(motion):
    vectors = torch.from_numpy(to_vector(motion))[None].repeat(2, 1, 1)
    mask = torch.zeros(2, vectors.shape[1], dtype=torch.bool)
    mask[0, :40], mask[1, :90] = True, True
    broken = vectors.clone()
    broken[0, 40:] = 7.0
    assert float(losses.masked_mean((broken - vectors).square(), mask)) == 0.0
    assert losses.row_mean((broken - vectors).square(), mask).tolist() == [0.0, 0.0]
    estimate = (vectors + 0.1).requires_grad_(True)
    rotations, positions = losses.body(estimate)
    true_positions = losses.body(vectors)[1]
    moves = losses.steps(estimate, positions, 30.0)
    total = (losses.position_error(positions, true_positions).mean() + losses.rotation_excess(rotations,
                                                                                              torch.zeros(24)).mean()
             + losses.step_error(moves, losses.steps(vectors, true_positions, 30.0)).mean()
             + losses.foot_slide(moves, losses.contact_of(vectors)).mean()
             + losses.velocity_error(estimate, vectors).mean() + losses.acceleration_error(estimate, vectors).mean())
    total.backward()
    assert torch.isfinite(estimate.grad).all() and estimate.grad.abs().sum() > 0


def test_decode_takes_another_course(motion):
    vectors = torch.from_numpy(to_vector(motion))
    turn, place = trajectory(vectors, motion.fps)
    _, root = decode(vectors, motion.fps, turn, place * 0)
    assert float(root[:, :2].abs().max()) == 0.0
    assert forward_kinematics(*decode(vectors, motion.fps))[0].shape == (len(motion), 24, 3) and len(FEET) == 4
