"""The other process, as Blender sees it: client, jobs, runtime, options, handlers."""
