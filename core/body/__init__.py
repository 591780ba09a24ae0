"""The body: motion, kinematics, rotations, SMPL."""
