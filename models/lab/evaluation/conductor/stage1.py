"""How well stage 1 tells what belongs together, on pieces it never saw."""
import functools

import numpy as np
import torch

from models.conductor.config import FPS
from models.conductor.data import FEATURES, Pairs
from models.conductor.device_data import KINDS, DevicePairs
from models.conductor.losses import contrastive_loss
from models.conductor.performed import perform_corpus
from models.lab.studio.build import plan_of
from models.lab.studio.conducted_flat import hear, meta_of
from models.training.flat import FlatWriter, is_flat
from models.training.loop import default_cache
from models.training.shards import AUDIO_RATE, Corpus, unpack_audio


def _drawn(pairs, generator, number):
    return pairs.batch(number, generator)


def stage1_rows(net, corpus, split="test", batches=10):
    """Accuracy of stage 1's four judgements by kind of negative, on the pairs of a split of a corpus of shards; chance
    0.5."""
    cache, found = default_cache(corpus, "conductor"), {}
    if net.config.mel_rate == FPS:
        flat = flat_of_shards(corpus, split, cache / "flat")
        perform_corpus(flat, cache / "flat.performed", 0.0, lambda fraction, text: None)
    else:
        FEATURES.prepare(corpus, cache)
    for kind in KINDS:
        if net.config.mel_rate == FPS:
            pairs = DevicePairs(net.config, flat, cache / "flat.performed", split, kind, augment=False)
            pairs.resident(torch.device("cpu"))
            draw = functools.partial(_drawn, pairs, torch.Generator().manual_seed(2))
        else:
            draw = Pairs(net.config, cache, split, kind, seed=2).__getitem__
        with torch.no_grad():
            found[kind] = float(np.mean([float(contrastive_loss(net, *(batch[name] for name in (
                "mel", "keypoints", "other_mel", "other_keypoints")))[1]) for batch in map(draw, range(batches))]))
    return {"split": split, "pairs": 4 * batches * net.config.batch, **found}


def flat_of_shards(corpus, split, out):
    """The flat folder, with plans, of the studio's conducted pieces in a corpus of shards; made once."""
    if not is_flat(out):
        writer, shards = FlatWriter(out), Corpus(corpus, split, "conducting")
        for index in range(len(shards)):
            writer.add(meta_of(plan_of(shards.meta(index)).to_json()),
                       hear(unpack_audio(shards.array(index, "audio")), AUDIO_RATE))
        writer.close()
    return out
