"""Genre classifiers of audio and of motion, trained on the studio: judges for evaluation, never a generator's
condition.

network.py  two small convolutional classifiers       features.py  log-mel of audio, joint features of motion
train.py    tasks `audio` and `motion`                 judge.py     probabilities, accuracy, `genre_kld_own`
"""
