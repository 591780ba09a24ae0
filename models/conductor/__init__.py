"""Diffusion-Conductor: conducting motion from music (arXiv 2306.10065), both stages.

Where the paper's parts are; a = music, m or x_0 = motion, c = music features of each frame, i = frame, t = noise level

Contrastive pre-training
- P(a, m) = mean_i sigmoid(h(f(a)_i, g(m)_i)), f mel CNN, g ST-GCN .. `encoder.M2SNet.judge` and both encoders
- L = -log P(a1,m1) - log P(a2,m2) - log(1-P(a1,m2)) - log(1-P(a2,m1))  `losses.contrastive_loss`
- negatives: easy (another piece), hard, super-hard ............... `data.Pairs`
- f frozen afterwards, in chunks of any length .................... `encoder.Frozen`, `encoder.encode_music`
Diffusion
- x_t = sqrt(abar_t) x_0 + sqrt(1-abar_t) eps, linear betas ....... `models.diffusion.Schedule.add_noise`
- L_rec = E || x_0 - F(x_t, t, c) ||^2 (or eps in place of x_0) .... `losses.denoiser_loss`, `config.prediction`
- random masking c_i -> 0 with probability p ...................... `losses.denoiser_loss` (`frame_dropout`)
- L_vel = || (x_0[i+1] - x_0[i]) - (F[i+1] - F[i]) ||^2 ........... `losses.geometric_losses` (velocity)
- L_elbow = -w min(|| F[i+1] - F[i] ||^2 of the arms, cap) ........ `losses.geometric_losses` (elbow; also head)
Cross-modality linear transformer F
- y = softmax_channels(Q) (softmax_time(K)^T V) ................... `network.LinearAttention` (self, cross)
- y' = W0 SiLU(LN(y) (1 + s) + b), (s, b) from t and c_i .......... `models.layers.Stylisation`
- feed-forward, layers, time and music embedding .................. `network.FeedForward`, `Layer`, `Denoiser`
Sampling
- DDIM x_s = sqrt(abar_s) x_0^ + sqrt(1-abar_s) eps^, eta 0 ....... `models.diffusion.ddim`, `pipeline.Conductor`
- guidance F(null) + w (F(c) - F(null)), not in the paper ......... `models.diffusion.guided`
Experiments: `ablations` (trained), `experiments` (sampling, other domains), `evaluate` (all of docs/results.md)

What differs from the published code, in every configuration
- masks count frames (the published ones count seconds, so most of the loss never saw frames past the second second)
- motion is standardised per channel with statistics of the train split, which travel in the checkpoint
- positions are sinusoidal: a trained window can be sampled at any place and length
- a frozen encoder is frozen whole, batch-norm statistics too (`encoder.Frozen`)
- beside the paper's frame-wise mask there is a null token for the whole condition, so guidance is real
- AdamW (weight decay 0.01, warm-up and cosine) with averaged weights; published: Adam at a fixed rate
- negatives of stage 1 are easy, hard or super-hard by turns (`mixed`), super-hard never nearer than 0.5 s; published:
  hard alone after a first epoch of easy ones, super-hard from 0 s
- the music's features pass a linear map and then another to the style's width, which is both memory and style, as
  published; the memory's norm is learned for each layer
- a training window begins anywhere in a piece; published: at 0 or 30 s
- sampling, a track's music features are brought down to the spread that they had in training, where they are larger
- the elbow reward is -w min(v, cap) in standardised units and off by default; the 1e-6 feature term is left out

What `release` adds: SMPL-24 6D of pelvis, trunk, head and arms, and for each foot place, heading, pitch and contact,
from which planted feet and legs follow (`legs`, core/body/legs.py); as conditions the rhythm curve of the *strokes* on
the ictus clock (the music's beats that get one, `beat_pattern`, moved earlier by the lead), the phase in the bar, the
strokes a bar, the track's own loudness and who plays (`focus`), heard by a network of its own (`players`); two frames
per token, a depth-wise convolution in the feed-forward and the condition also at the input; a loss on the hands in
metres, because the ictus is an event of the hand; music at the motion's 30 Hz in 64 bands, and in both encoders
temporal convolutions of a growing reach. `first` is the recipe of the first released pair (standing legs, published
mel); `paper` has none of all these, and 26 channels of key points.

Rules after the network, not the network: rest in silence, hands no faster than 4 m/s (`controls`), how high the body
stands (`stance`), bow, hold and cut-off where the music ends (`ending`, `cut_off`).

Who plays is not in the paper: a conductor who is not told turns as much as others do, to anybody.

Both stages of `release` train on a flat corpus whose motion is performed where the training runs (`performed`,
`device_data`); the other configurations on a corpus of shards (`data`).
"""
