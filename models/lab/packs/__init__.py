"""Material for trainings elsewhere: flat corpora packed small, made from the studio and from clips."""
