"""What Baton does, with no Blender in it: time, skeletons, audio, beats, pipelines, worker, command line."""
