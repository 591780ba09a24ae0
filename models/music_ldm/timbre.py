"""The timbre of a piece: one code for the whole of it, measured on training pieces, drawn from its genre's own spread.

A window of six seconds does not know the mix of the piece it belongs to; denoised without it, every window goes to the
genre's middle, and pieces differ less than real ones do. So a code of the whole piece joins the condition, as a style
code does in diffusion autoencoders (Preechakul et al. 2022): long-term average spectrum, its spread over time and its
change from frame to frame, in 32 bands, brought to `config.timbre` principal coordinates. A new piece draws its code
from a Gaussian of its genre.
"""
import numpy as np
import torch
from torch import nn

from core.audio.mel import FLOOR

BANDS = 32
PROFILE = 3 * BANDS
SEEDS_APART = 2 ** 32       # from the seed of the starting noise, which would be the same numbers
SHRINK = 16                 # pieces that the spread of all genres together counts as, in the spread of one
KNOWN = 32                  # pieces of a genre that what is known of it counts as, where more are heard
TRIES = 64                  # codes that are drawn, at most, where one must be the genre's own


def timbre_profile(log_mel):
    """(T, 256) log-mel, T >= 2 -> (96,): mean, standard deviation and that of frame differences of the log level of 32
    bands."""
    power = np.exp(2 * np.asarray(log_mel, dtype=np.float32)).reshape(len(log_mel), BANDS, -1).mean(axis=2)
    level = 0.5 * np.log(np.maximum(power, FLOOR ** 2))
    return np.concatenate([level.mean(axis=0), level.std(axis=0),
                           np.diff(level, axis=0).std(axis=0)]).astype(np.float32)


class Timbre(nn.Module):
    """Profiles -> codes (K,) of unit variance, their spread in each genre, and what the U-Net adds to its embedding for
    one."""

    def __init__(self, size, genres, embedding_width):
        super().__init__()
        self.size = size
        self.register_buffer("mean", torch.zeros(PROFILE))
        self.register_buffer("axes", torch.zeros(PROFILE, size))
        self.register_buffer("genre_mean", torch.zeros(genres, size))
        self.register_buffer("genre_factor", torch.eye(size).repeat(genres, 1, 1))      # covariance = factor factor^T
        self.embed = nn.Sequential(nn.Linear(size, embedding_width), nn.SiLU(),
                                   nn.Linear(embedding_width, embedding_width))
        nn.init.zeros_(self.embed[2].weight)
        nn.init.zeros_(self.embed[2].bias)

    def forward(self, known_code):
        """(B, K + 1) codes with a flag, 1 where known -> (B, E); zero where it is not."""
        return self.embed(known_code[:, :-1]) * known_code[:, -1:]

    def code(self, profile):
        """(..., 96) profiles -> (..., K) codes."""
        return (profile - self.mean) @ self.axes

    def draw(self, genre, seed, own=0.0):
        """A code (K,) of a genre's number; of any genre for -1. It depends on nothing else, so that a take keeps its
        sound when its passage is lengthened or its beats are moved.

        own: the least of `belonging` to its genre; the first of TRIES draws that has it, the best where none has.
        """
        generator, genres = torch.Generator().manual_seed(seed + SEEDS_APART), len(self.genre_mean)
        if genre < 0:
            genre = int(torch.randint(genres, (), generator=generator))
        normal = torch.stack([torch.randn(self.size, generator=generator) for _ in range(TRIES if own else 1)])
        normal = normal.to(self.genre_mean.device)                  # all at once: each copy to a card takes its time
        chosen = normal[0]
        if own:
            chance = self.belonging(self.genre_mean[genre] + normal @ self.genre_factor[genre].T)[:, genre]
            first = torch.where(chance >= own, torch.arange(TRIES, device=chance.device), TRIES).min()
            chosen = normal.index_select(0, torch.where(first < TRIES, first, chance.argmax())[None])[0]
        return self.genre_mean[genre] + self.genre_factor[genre] @ chosen

    @torch.no_grad()
    def belonging(self, codes):
        """(N, K) codes -> (N, genres): probability that a code is of a genre, where all are as likely beforehand."""
        factors, apart = self.genre_factor, codes[None] - self.genre_mean[:, None]               # (G, N, K)
        white = torch.linalg.solve_triangular(factors, apart.transpose(1, 2), upper=False)       # (G, K, N)
        size = torch.diagonal(factors, dim1=1, dim2=2).log().sum(1)
        return torch.softmax(-0.5 * white.square().sum(1) - size[:, None], dim=0).T

    @torch.no_grad()
    def fit(self, profiles, genres):
        """Measure everything but `embed` on training pieces: profiles (N, 96), genres (N,) numbers (-1: of none)."""
        profiles = np.asarray(profiles, dtype=np.float64)
        mean, scale = profiles.mean(axis=0), profiles.std(axis=0) + 1e-6
        _, values, axes = np.linalg.svd((profiles - mean) / scale, full_matrices=False)
        spread = np.maximum(values[:self.size], 1e-6) / np.sqrt(len(profiles))
        axes = axes[:self.size].T / scale[:, None] / spread
        codes = np.zeros((len(profiles), self.size))
        codes[:, :axes.shape[1]] = (profiles - mean) @ axes
        genres = np.asarray(genres)
        known = np.array([codes[genres == g].mean(axis=0) if (genres == g).any() else np.zeros(self.size)
                          for g in range(len(self.genre_mean))])
        inside = codes[genres >= 0] - known[genres[genres >= 0]]
        shared = (inside.T @ inside) / max(1, len(inside)) + 1e-4 * np.eye(self.size)
        for genre in range(len(known)):
            mine = codes[genres == genre] - known[genre]
            covariance = (mine.T @ mine + SHRINK * shared) / (len(mine) + SHRINK)
            self.genre_factor[genre] = torch.from_numpy(np.linalg.cholesky(covariance)).float()
        self.genre_mean.copy_(torch.from_numpy(known))
        self.mean.copy_(torch.from_numpy(mean))
        self.axes.zero_()
        self.axes[:, :axes.shape[1]] = torch.from_numpy(axes).float()

    @torch.no_grad()
    def refit(self, profiles, genres):
        """Move the genres' codes towards other pieces, what is known counting as KNOWN pieces of each genre. The axes
        stay, as `embed` was trained on them."""
        genres = np.asarray(genres)
        codes = (np.asarray(profiles, np.float64) - self.mean.double().cpu().numpy()) @ self.axes.double().cpu().numpy()
        for genre in range(len(self.genre_mean)):
            mine = codes[genres == genre]
            was, factor = (x[genre].double().cpu().numpy() for x in (self.genre_mean, self.genre_factor))
            mean = (mine.sum(axis=0) + KNOWN * was) / (len(mine) + KNOWN)
            spread = KNOWN * (factor @ factor.T + np.outer(was - mean, was - mean)) + (mine - mean).T @ (mine - mean)
            self.genre_mean[genre] = torch.from_numpy(mean).float()
            self.genre_factor[genre] = torch.from_numpy(np.linalg.cholesky(spread / (len(mine) + KNOWN))).float()
