"""Training: the loop, its corpora and its run folders. Nothing here is needed to use Baton."""
