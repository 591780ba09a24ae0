"""DiffDance: dance from music by a cascade of two diffusion models (arXiv 2308.02915, ACM MM 2023).

Where the paper's parts are; a = music, x_0 = motion, c = embedded music, t = noise level on a scale of 100 steps

Alignment stage
- f(a), g(x) in one space by InfoNCE, 6 s clips, two-layer adapter (512) .. `encoder.Aligner`, `encoder.info_nce`
- f frozen afterwards, any length ......................................... `encoder.encode_music`
Cascade
- base: x_0 of 20 s at 15 fps from noise, transformer ..................... `network.Denoiser`, `config.CascadeConfig`
- sequence super-resolution 15 -> 60 fps on the up-sampled base ........... `Denoiser` with `low`, `features.upsampled`
- x0-prediction, T = 100 .................................................. `models.diffusion.Schedule`
- condition drop 10 %, x_uncond + w (x_cond - x_uncond), w = 2.5 .......... `losses.denoiser_loss`, `guided`
Losses
- L = |x_0 - F|^2 + w(t) (l1 position + l2 velocity + l3 rotation) ........ `losses.geometric_losses`
- w(t) = exp(-alpha t), alpha 0.1 ......................................... `losses.timestep_weight`
- key joints by forward kinematics, sudden turns .......................... `models.motion.losses`
Sampling
- the first 2 s given, noised to level t at each step ..................... `models.motion.kept`, `diffusion.Inpaint`

What differs, in every configuration (no code of the paper was found; the printed forms of its losses were not obtained)
- encoders: two small ones of ours trained with the adapter, for Wav2CLIP and MotionCLIP frozen (third-party weights);
  both directions of InfoNCE count, and its temperature, 0.07 at first, is learned
- music reaches the denoiser as an embedding of each frame; the text names one vector of 512 a clip
- sizes that the text leaves open: feed-forward 3072, cosine schedule, ancestral sampling, noise of the base up to 0.5
- root: velocities in the axes of the heading, turning speed and height, for positions: windows of a canvas then agree
  wherever the dancer stands (`models.motion.representation`)
- contacts: four channels and a loss on planted feet (after EDGE), which the clean-up reads
- losses by the paper's names: squared distance of key joints, squared error of their velocities over the floor, squared
  hinge of rotation steps above the 99th percentile of the corpus; all on un-normalised values
- the base is made noisy in training the super-resolution, and its level is told: cascades else trust their base too
  much
- sampling the super-resolution, its estimate is tied to the base at the base's rate (`Stage._anchored`, after Choi et
  al. 2021): alone it smooths accents away
- any length on one canvas of overlapping windows per stage (paper: 20 s); loop, kept ranges, in place, along a path

What `release` adds: the rhythm curve and the bar, frame by frame; the music's embedding frame by frame too (FiLM
instead of attention), compared per frame and against other passages of the same piece in the alignment stage; a style
token (ten genres and those of the captures); an energy that can be asked for; a velocity loss at every t; ten steps.
Sampling, the rhythm has a guidance of its own (`beat_guidance`, `canvas.guided_apart`): at one scale for all, the
beats are one voice among many and the body passes over them. And each estimate is drawn to how the style that is asked
for stands and moves, as measured on the corpus (`styles.Styles`): the style token alone leaves genres with one stance.
At the scales of both guidances that are the default, a network that was taught their sum answers in one pass
(`distil`). `paper` has none of these. Music, beats, energy and style are dropped separately as well, so that each may
be left unknown.
"""
