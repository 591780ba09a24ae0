"""Layers shared by the systems. Sequences are (B, N, C) in attention and FiLM, (B, C, T) or (B, C, H, W) in
convolutions."""
from models.layers.attention import Attention, Rotary
from models.layers.conv import ChannelNorm, Downsample, ResBlock, Upsample, conv_nd, make_norm
from models.layers.film import FeedForward, FiLM, Stylisation
from models.layers.time import TimeEmbedding

__all__ = ["Attention", "ChannelNorm", "Downsample", "FeedForward", "FiLM", "ResBlock", "Rotary", "Stylisation",
           "TimeEmbedding", "Upsample", "conv_nd", "make_norm"]
