"""Diffusion-Conductor: conducting motion from music (arXiv 2306.10065), both stages.

Where the paper's parts are
- contrastive pre-training, four-term binary cross-entropy ....... `losses.contrastive_loss`, `encoder.M2SNet`, `data.Pairs`
- music encoder, ST-GCN motion encoder ........................... `encoder.MusicEncoder`, `encoder.MotionEncoder`
- forward process q(x_t | x_0), linear betas, T = 1000 ............ `models.diffusion.Schedule("linear", "x0", 1000)`
- x0 instead of epsilon as the target ............................ `losses.denoiser_loss`, `config.prediction`
- random masking of the music condition .......................... `losses.denoiser_loss` (`frame_dropout`)
- cross-modality linear transformer .............................. `network.Denoiser`
- geometric loss: velocity, elbow, head .......................... `losses.geometric_losses`
- DDIM sampling .................................................. `models.diffusion.ddim`, `pipeline.Conductor`

What differs from the published code, in every configuration
- masks count frames (the published ones count seconds, so most of the loss never saw frames past the second second)
- motion is standardised per channel with statistics of the train split, which travel in the checkpoint
- positions are sinusoidal: a trained window can be sampled at any place and length
- a frozen encoder is frozen whole, batch-norm statistics too (`encoder.Frozen`)
- beside the paper's frame-wise mask there is a null token for the whole condition, so guidance is real
- the elbow reward is -w min(v, cap) in standardised units and off by default; the 1e-6 feature term is left out

What `release` adds: SMPL-24 6D of pelvis, trunk, head and arms (legs stand by IK); as conditions the rhythm curve on the
ictus clock (beats moved earlier by the lead), the phase in the bar, the metre and the track's own loudness; two frames
per token, a depth-wise convolution in the feed-forward and the condition also at the input; a loss on the hands in metres,
because the ictus is an event of the hand. `paper` has none of these, and 26 channels of key points.
"""
