"""Any length from a model of fixed length, and masked replacement.

Long passages are one canvas (B, C, ..., L). At every step each window of the canvas is denoised under its own condition
and the x0 estimates of neighbours are cross-faded where they overlap, so both go on from the same x_t there (in the
spirit of EDGE, Tseng et al. 2022, long-form sampling; the averaging is MultiDiffusion's, Bar-Tal et al. 2023, eq. 5).
On a loop the canvas is a ring: the last window reaches into the first.
"""
import torch

from models.diffusion.samplers import normal


def window_starts(length, window, overlap, loop=False):
    """Starts of windows that cover `length`, neighbours sharing at least `overlap`. Starts are spread evenly.

    A canvas shorter than one window raises ValueError unless loop (then the window wraps round more than once).
    """
    if not 0 <= overlap < window:
        raise ValueError(f"overlap lies in 0..{window - 1}, not {overlap}")
    if loop:
        count = max(1, -(-length // (window - overlap)))
        return [round(i * length / count) for i in range(count)]
    if length < window:
        raise ValueError(f"the canvas ({length}) is shorter than one window ({window}); pad it")
    count = -(-(length - window) // (window - overlap)) + 1
    return [round(i * (length - window) / max(1, count - 1)) for i in range(count)]


def window_places(starts, window, length):
    """Frames (windows, window) long of the windows that begin at `starts` on a canvas, which is a ring where they pass
    its end."""
    return (torch.tensor(starts)[:, None] + torch.arange(window)) % length


def _fade(window, overlap, device):
    """(window,) weights: ramps of `overlap` at both ends, never 0, so that a lone window stays whole."""
    ramp = (torch.arange(window, device=device) + 1.0).clamp(max=overlap + 1) / (overlap + 1)
    return ramp * ramp.flip(0)


class _Rows:
    """Which windows of which variations there are, as index tensors: made once for a canvas, so that no step has to
    send any to the device."""

    def __init__(self, count, starts, length, window, overlap, batch, like):
        """count: variations; like: a tensor of the device and the type of the weights."""
        device = like.device
        self.fade = _fade(window, max(1, overlap), device).to(like)
        self.places = window_places(starts, window, length).to(device)
        self.weight = torch.zeros(length, device=device, dtype=like.dtype)
        self.weight.index_put_((self.places,), self.fade.expand(len(starts), -1), accumulate=True)
        variations = torch.arange(count).repeat_interleave(len(starts)).to(device)
        numbers = torch.arange(len(starts)).repeat(count).to(device)
        self.parts = list(zip(variations.split(batch), numbers.split(batch)))


def windowed(denoise_windows, length, window, overlap, loop=False, batch=8):
    """A denoiser of the whole canvas (V, ..., L) from one of single windows.

    denoise_windows(x (N, ..., window), t, variations (N,) long, numbers (N,) long) -> x0 of the same shape; `numbers`
    says which window of `window_starts` each row is, so that its condition can be looked up; both lie on x's device. At
    most `batch` rows a call, so memory is flat.
    """
    starts, made = window_starts(length, window, overlap, loop), {}

    def denoise(x, t):
        key = (len(x), x.device, x.dtype, torch.is_inference_mode_enabled())
        if key not in made:
            made[key] = _Rows(len(x), starts, length, window, overlap, batch, x)
        rows = made[key]
        # Frames second, so that one index pair (variation, frame) reaches into canvases of any shape.
        canvas = x.movedim(-1, 1)
        total = torch.zeros(canvas.shape, dtype=x.dtype, device=x.device)
        fade = rows.fade.reshape(-1, *(1,) * (x.dim() - 2))
        for variations, numbers in rows.parts:
            where = variations[:, None], rows.places[numbers]
            pieces = canvas[where].movedim(1, -1).contiguous()
            clean = denoise_windows(pieces, t, variations, numbers)
            total.index_put_(where, clean.to(x.dtype).movedim(-1, 1) * fade, accumulate=True)
        return total.movedim(1, -1).contiguous() / rows.weight
    return denoise


class Inpaint:
    """Masked replacement (RePaint, Lugmayr et al. 2022, eq. 8, without resampling): what is known is put back at every
    step.

    known (B, ...) clean values; mask, broadcastable, 1 where known (between 0 and 1 blends); one fixed noise draw.
    `project` goes to a sampler, `wrap` round a denoiser so that the x0 estimate agrees as well.
    """

    def __init__(self, known, mask, schedule, generator=None):
        self.known, self.mask, self.schedule = known, mask, schedule
        self.noise = normal(known, generator)

    def project(self, x, t):
        """x with the known part at noise level t (-1: clean)."""
        level = self.known if t < 0 else self.schedule.add_noise(self.known, self.noise, t)
        return self.mask * level + (1 - self.mask) * x

    def wrap(self, denoise):
        """The denoiser whose estimate equals `known` under the mask."""
        return lambda x, t: self.mask * self.known + (1 - self.mask) * denoise(x, t)
