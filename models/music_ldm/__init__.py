"""Motion -> dance music by a latent diffusion model, after

    V. Tan, J. Nam, J. Nam, J. Noh, "Motion to Dance Music Generation using Latent Diffusion Model",
    SIGGRAPH Asia 2023 Technical Communications. https://doi.org/10.1145/3610543.3626164

| in the paper | here |
|---|---|
| 3.1 mel x: 22,050 Hz, Hann 2048, hop 512, 256 bins | `core/audio/mel.py: log_mel`, `image_mel` |
| 3.1 VAE, z = E(x), x = D(z); Kingma & Welling | `vae.py: VAE`, `losses.py: reconstruction, adversarial` |
| 3.2 m_i = {p, q, p', q'}_i; p, p' global, q, q' of the parent's frame, q as 6D | `features.py: motion_features` |
| 3.2 c = m + g, genre one-hot concatenated to every frame (370) | `network.py: ConditionEncoder` with `memory=0` |
| 3.2 c enters by cross-attention | `network.py: CrossBlock` |
| eq. 1 forward process q(z_t | z_{t-1}); closed form q(z_t | z_0) | `models/diffusion: Schedule.add_noise` |
| eq. 2 L_simple, epsilon prediction, T = 1000 | `losses.py: diffusion_loss`, `config.py: PAPER` |
| 4.2 three down and three up ResNet blocks with cross-attention and skips | `network.py: UNet` |
| 4.2 AdamW 1e-4, batch 8, 100 epochs, 50 inference steps | `config.py: PAPER`, `pipeline.py: generate(steps=50)` |
| 3.3 Griffin-Lim | `core/audio/mel.py: griffin_lim`, `MusicLDM.load(vocoder="griffin_lim")` |
| 3.3 gain to match loudness | `core/audio/loudness.py: deliver` |

What `paper` had to settle, because the text does not say or it cannot be repeated here: motion at 30 fps; windows of
224 mel frames (5.2 s; the paper's slices are 5 s); an image VAE of our own training (the published one is not ours to
ship) with the shape of its template, one latent channel and a factor of 8, trained with L1 where the template has
LPIPS, and with a patch discriminator of ours; a latent scale that is measured (1 / standard deviation), not 0.18215;
block widths 128-256-512; condition dropped in 10 % of the items (the paper names no guidance).

`paper` follows the text; `paper_code` follows their released code (vtan05/dmd, MIT) where it differs from it:

| | text: `paper` | code: `paper_code` |
|---|---|---|
| betas | scaled linear 0.00085..0.012, of the template | linear 1e-4..0.02 |
| U-Net | three levels, 62 M, attention to the condition alone | a fourth level of residual blocks; among latents too |
| motion | at xy = 0 facing -y, standardised | where the clip has it, 0..1 by least and greatest, clipped |
| slice | 224 mel frames (5.2 s) | 256 frames (5.94 s) |
| condition drop, guidance | 10 %, as asked for | none: sample with `--guidance 1` |
| AdamW | 1e-4, its usual betas 0.9 and 0.999, weight decay 0.01 | betas 0.95 and 0.999, weight decay 1e-6 |
| sampler | 50 steps | `--sampler ddim --steps fine` (50) |

Where `paper_code` is not their code: theirs has 138 M parameters (100 M here: feed-forward layers twice as wide as the
tokens, not four times, and as many blocks up as down); slices are whole music, not 5 s padded with zeros; the four
values of an angular velocity are an axis and an angle, not an element-wise product of quaternions; their shipped
scripts take 226 features without the 6D rotations, the text's 370 stay; seeds differ from clip to clip; both VAEs are
trained here, and the latent scale is measured; the learning rate warms up over 2 % of the budget, not 500 steps. In
both, VAE and denoiser see the same slices: cut end to end, each
under its own maximum. A take longer than a slice is our extension: windows on one canvas.

What `release` changes, and why:

- One dimension: bands are channels, a VAE of factor 4 in time with 64 latents that starts from principal components,
  the same U-Net over time only. Small enough for a CPU to train it in hours and to sample faster than real time.
- One clock: rotary positions in seconds on queries and keys (`models/layers/attention.py`), so that timing need not be
  discovered.
- The rhythm curve (`core/rhythm/beats.py`) joins the input frame by frame; motion, rhythm and genre are dropped apart
  in training, so that each works alone and guidance has an unconditional twin.
- A code of the whole piece's timbre (`timbre.py`) joins the time embedding: windows of one passage share it, every seed
  draws its own from its genre's spread, a range made anew has its take's. Without it pieces of a genre sound more alike
  than real ones.
- v-prediction; `eps` and `x0` are configurations. No min-SNR weights: they leave the noisiest steps, where a window's
  mix is settled, next to none; those are drawn more often instead, and the error of a window's mean over time counts
  beside that of every frame.
- Any length, loops and the regeneration of a range: windows on one canvas (`passage.py`,
  `models/diffusion/windows.py`).
- A learned vocoder (`vocoder.py`) from the 11 kHz mel to full band.
"""
