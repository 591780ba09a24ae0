"""A job from scene to scene: what is asked, how the scene is read, how the result is written."""
