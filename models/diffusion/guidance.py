"""Classifier-free guidance (Ho & Salimans 2022) with the two refinements that keep strong guidance usable."""


def guided(conditional, unconditional, scale, *, both=None, steps=1000, interval=(0.0, 1.0), rescale=0.0):
    """A denoiser x = x_uncond + scale (x_cond - x_uncond): 0 unconditional, 1 conditional.

    conditional, unconditional  denoisers (x, t) -> x0; the sum is the same in eps, v and x0, which
                                are affine in each other
    both        optional (x, t) -> (conditional x0, unconditional x0) in one pass, where that is faster than two
    interval    guide only where t / steps lies in it, else the plain conditional answer (Kynkäänniemi et al. 2024)
    rescale     0..1: bring the spread of the guided x0 back to that of the conditional one (Lin et al. 2023, eq. 15-16)
    """
    low, high = interval

    def denoise(x, t):
        inside = low <= t / steps <= high
        if scale == 1 or not inside:
            return conditional(x, t)
        if scale == 0:
            return unconditional(x, t)
        plain, base = both(x, t) if both is not None else (conditional(x, t), unconditional(x, t))
        x0 = base + scale * (plain - base)
        if rescale:
            axes = tuple(range(1, x0.dim()))
            factor = plain.std(axes, keepdim=True) / x0.std(axes, keepdim=True).clamp(min=1e-8)
            x0 = x0 * (rescale * factor + 1 - rescale)
        return x0
    return denoise
