"""Dances as vectors, for every system that makes or reads whole-body motion.

representation  vectors (T, 152) <-> `Motion`: root velocities, 24 x 6D, four foot contacts; mirror; statistics
losses          forward kinematics of key joints, velocity, acceleration, planted feet, rotation excess
contacts        after sampling: planted feet do not slide, nothing below the floor, joint limits
smoothing       joining motions without a jump: eased offsets, kept ranges, loops
"""
