"""Dances as vectors, for every system that makes or reads whole-body motion.

representation  vectors (T, 152) <-> `Motion`: root velocities, 24 x 6D, four foot contacts; mirror; statistics
losses          forward kinematics of key joints, velocity, acceleration, planted feet, rotation excess
contacts        after sampling: planted feet do not slide, nothing below the floor, joint limits
course          where a dance goes: in place, along a path, back to where a loop or a kept range begins
kept            ranges of a take and motion before a passage that stay
settings        what every dance can be asked for
smoothing       joining motions without a jump: eased offsets, kept ranges, loops
"""
