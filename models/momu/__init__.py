"""Motion <-> music <-> both at once by two latent diffusion transformers over one clock, after

    F. You, M. Fang, L. Tang, R. Huang, Y. Wang, Z. Zhao, "MoMu-Diffusion: On Learning Long-Term Motion-Music
    Synchronization and Correspondence", NeurIPS 2024. https://arxiv.org/abs/2411.01805

The full text and its code could not be read; what follows rests on the abstract, the poster and second-hand
digests. What had to be assumed is marked [A] and is ours, not the paper's.

| in the paper | here |
|---|---|
| music VAE: L_rec + l1 KL + l2 GAN on mels, trained first, then frozen | `models/music_ldm/vae.py`, released weights |
| motion VAE: L_rec + l3 KL + l4 L_contrast, as wide as the music's | `vae.py: MotionVAE`, `losses.py: motion_loss` |
| directogram D(r, theta), kinematic amplitude Q(r) | `directogram.py` (`paper`: the printed, overlapping bins) |
| bidirectional rhythmic contrast, windows [r_s, r_e] max-pooled | `contrast.py`, `maps.py` |
| L_m2a = |eps_a(z_a(t), t, z_m) - eps|^2, L_a2m alike; guidance | `network.py: DiT`, `losses.py: diffusion_loss` |
| motion -> music, music -> motion | `pipeline.py: MoMuMusic, MoMuMotion` |
| joint generation by cross-guidance, T_c | `joint.py`, `pipeline.py: MoMuBoth` |
| variable length by the number of latent frames | crops of random length, masks (`data.py`), windows on a canvas |
| BigVGAN | `models/music_ldm/vocoder.py`, released weights |

Why the music side is that of `music_ldm`: it is the paper's first step already (L1 with frame differences, KL,
hinge and feature-matching terms), was trained for hours, decodes through a vocoder made for its mels, and freezing
it is what the paper does next. Its latents are 64 wide at 22,050 / 512 / 4 = 10.77 Hz; so the motion's are too, and
the clock is the mel's.

| what was settled | value |
|---|---|
| keypoints | SMPL-24 vectors (`models/motion/representation.py`) instead of 2D; D and Q of joints seen from the front |
| motion's rate | 30 fps interpolated (Catmull-Rom) to the mel's 43.07 Hz, three levels, two halvings of time |
| tau, N_C, windows [A] | 0.07; 16 of 0.5 s a sequence |
| negatives [A] | apart in time (no overlap) and in level (dQ > 0.25), or four windows apart; all of other sequences |
| l3, l4 [A] | 3e-4, 0.05 (`paper`: 1e-6, 0.1) |
| bins K [A] | 12 (`release`: half-open); D is 0 in frame 0, Q in frames 0 and 1; Q over its largest value |
| geometric terms [A] | joint distance, velocity over the floor, speed of standing feet (`models/motion`) |
| contrast through one linear map a side | `release`; `paper` compares the latents themselves |
| and afterwards through maps that see seconds | `maps.py`: half a second does not tell its place in the bar |
| losses of the motion VAE [A] | squared error in network units for L_rec, and geometric terms beside it |
| transformer [A] | width 256, 6 layers, 4 heads, convolutional feed-forward, adaLN; [t; condition; latents] |
| T, schedule [A] | 1000; `paper` scaled linear betas and eps, as the group's sibling system; `release` cosine and v |
| condition drop [A] | 0.1 (`paper`); apart for modality, rhythm, style and code (`release`) |
| what is unconditional | `paper`: no other modality; `release`: until T_c rhythm, tempo and style still count |

What `release` adds, and why:

- The rhythm curve (`core/rhythm/beats.py`) under each latent, the tempo and a style token: measured with `music_ldm`,
  motion alone gives music of the right kind whose beats ignore the dancer; and joint generation from nothing needs a
  tempo to be asked for.
- The code of a piece's mix, of `music_ldm` (`timbre.py`), for the music.
- Noise on the other modality's latents in training, because at sampling they are an estimate, which the encoder never
  gives.
- v-prediction and more of the noisy steps, as `music_ldm`; `eps` is a configuration.
"""
