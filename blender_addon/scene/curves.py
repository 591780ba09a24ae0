"""A curve object as the points that a performer is to follow."""
import bpy
import numpy as np

from ..errors import UserError


def world_points(curve) -> np.ndarray:
    """Points (N,3) float32 along a curve object of one spline, in world space, closed where it is. Raises UserError."""
    if curve.type != "CURVE" or len(curve.data.splines) != 1:
        raise UserError(f"{curve.name} must be a curve with one spline to be followed")
    data = curve.data
    if data.bevel_depth or data.extrude or data.bevel_object is not None:
        raise UserError(f"{curve.name} has thickness: set its Bevel and Extrude to 0, or choose another curve")
    evaluated = curve.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    points = np.empty(3 * len(mesh.vertices), dtype=np.float32)
    mesh.vertices.foreach_get("co", points)
    evaluated.to_mesh_clear()
    if len(points) < 6:
        raise UserError(f"{curve.name} has no length; draw at least two points")
    points = points.reshape(-1, 3)
    if data.splines[0].use_cyclic_u:
        points = np.concatenate([points, points[:1]])
    world = np.array(curve.matrix_world, dtype=np.float32)
    return points @ world[:3, :3].T + world[:3, 3]
