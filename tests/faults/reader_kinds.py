"""All readers that are given damaged input, by name."""
from tests.faults import data_readers as data
from tests.faults import job_readers as job
from tests.faults import motion_readers as motion

READERS = {"bvh": motion.bvh, "npz": motion.npz, "pkl": motion.pkl, "sound": data.sound, "beats": data.beats,
           "bone map": data.bone_map, "rig": job.rig, "recipe": job.recipe, "options": job.options,
           "torch": motion.torch_file}       # last: what it imports stays mapped
