"""What judges the vocoder's sound in training: discriminators of its STFT and of its periods, and their losses.

`StftDiscriminator` after Défossez et al. 2022, "High Fidelity Neural Audio Compression" (section 3.4: complex STFT as
channels, dilated in time, strided in frequency); `PeriodDiscriminator` after Kong et al. 2020, "HiFi-GAN" (section
2.3), narrower here.
"""
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import weight_norm

STFT_WINDOWS = (2048, 1024, 512)
PERIODS = (2, 3, 5, 7, 11)
PERIOD_WIDTHS = (16, 48, 128, 192)
LOUD = 0.3                          # power of the magnitude: quiet partials count beside loud ones
FLOOR = 1e-2                        # added to a magnitude before the power


def conv(*arguments, **keywords):
    return weight_norm(nn.Conv2d(*arguments, **keywords))


class StftDiscriminator(nn.Module):
    """Stereo (N, 2, samples) -> realness map and the feature maps before it, at one STFT resolution."""

    def __init__(self, n_fft, width=24):
        super().__init__()
        self.n_fft = n_fft
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        layers = [conv(4, width, (3, 9), stride=(1, 2), padding=(1, 4))]
        for dilation in (1, 2, 4):
            layers.append(conv(width, width, (3, 9), stride=(1, 2), dilation=(dilation, 1), padding=(dilation, 4)))
        layers.append(conv(width, width, 3, padding=1))
        self.layers, self.out = nn.ModuleList(layers), conv(width, 1, 3, padding=1)

    def picture(self, sound):
        """(N, 2, samples) -> (N, 4, T, bins): real and imaginary parts of both channels, magnitudes compressed."""
        with torch.autocast(sound.device.type, enabled=False):
            flat = sound.float().flatten(0, 1)
            z = torch.stft(flat, self.n_fft, self.n_fft // 4, window=self.window, return_complex=True)
            z = z * (z.abs() + FLOOR).pow(LOUD - 1)
            parts = torch.view_as_real(z).permute(0, 3, 2, 1)                       # (2N, 2, T, bins)
        picture = parts.reshape(len(sound), 4, *parts.shape[2:])
        # A card is faster with channels last. On a processor that multiplies bf16 the gradient of a dilated
        # convolution's weights is then not finite, or read from where nothing is (torch 2.13).
        return picture.contiguous(memory_format=torch.channels_last if picture.is_cuda else torch.contiguous_format)

    def forward(self, sound):
        x, features = self.picture(sound), []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            features.append(x)
        return self.out(x), features


class PeriodDiscriminator(nn.Module):
    """(N, 2, samples) -> realness map and feature maps of samples folded at one period; both channels are judged
    alike."""

    def __init__(self, period, widths=PERIOD_WIDTHS):
        super().__init__()
        self.period = period
        layers, before = [], 1
        for width in widths:
            layers.append(conv(before, width, (5, 1), stride=(3, 1), padding=(2, 0)))
            before = width
        layers.append(conv(before, before, (5, 1), padding=(2, 0)))
        self.layers, self.out = nn.ModuleList(layers), conv(before, 1, (3, 1), padding=(1, 0))

    def forward(self, sound):
        x = sound.reshape(-1, 1, sound.shape[-1])
        x = x[..., :x.shape[-1] // self.period * self.period]
        x, features = x.reshape(len(x), 1, -1, self.period), []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            features.append(x)
        return self.out(x), features


class Discriminators(nn.Module):
    """All of them: stereo (N, 2, samples), left and right -> [(realness map, feature maps)]."""

    def __init__(self, width=24, periods=PERIODS, windows=STFT_WINDOWS, period_widths=PERIOD_WIDTHS):
        super().__init__()
        self.judges = nn.ModuleList([*(StftDiscriminator(n_fft, width) for n_fft in windows),
                                     *(PeriodDiscriminator(period, period_widths) for period in periods)])

    def forward(self, sound):
        return [judge(sound) for judge in self.judges]


def critic_loss(discriminators, found, true):
    """Hinge loss of the judges (Lim & Ye 2017) on stereo (N, 2, samples), summed over them; `found` gets no gradient.
    Also returns the share of judgements, over maps, that are right."""
    loss, right = 0.0, []
    for verdict, _ in discriminators(torch.cat([true, found.detach()])):
        real, fake = verdict.float().chunk(2)
        loss = loss + F.relu(1 - real).mean() + F.relu(1 + fake).mean()
        right += [(real > 0).float().mean(), (fake < 0).float().mean()]
    return loss, torch.stack(right).mean()


def generator_losses(discriminators, found, true):
    """(adversarial, feature matching) of the sound on judges whose weights get no gradient: -D summed over the judges,
    and L1 of their feature maps summed over judges and layers (Kumar et al. 2023, "DAC", section 3.4)."""
    frozen = {name: value.detach() for name, value in discriminators.named_parameters()}
    judged = functional_call(discriminators, frozen, (found,))
    with torch.no_grad():
        wanted = discriminators(true)
    fooled, matching = 0.0, 0.0
    for (verdict, features), (_, targets) in zip(judged, wanted):
        fooled = fooled - verdict.float().mean()
        matching = matching + sum(F.l1_loss(a.float(), b.float()) for a, b in zip(features, targets))
    return fooled, matching
