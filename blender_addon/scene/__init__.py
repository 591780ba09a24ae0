"""What is read from Blender's scene and written to it, one file per thing."""
