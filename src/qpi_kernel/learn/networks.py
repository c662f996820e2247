"""The two networks: a VAE of kernels, and the aligner that finds its latent code from a map.

Both are fully convolutional on 64 x 64 px images: space-to-depth by 4 first, so that a step costs a
laptop tenths of a second, then residual blocks at 16 x 16 and 8 x 8. A kernel enters multiplied
with `radial_weight` and divided by its root mean square; sign is kept.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

LATENT = 8


class Residual(nn.Module):
    """Two 3 x 3 convolutions around a skip connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, width), nn.GroupNorm(8, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, width, h, w) to the same shape."""
        h: Tensor = self.conv1(functional.silu(self.norm1(x)))
        h = self.conv2(functional.silu(self.norm2(h)))
        return x + h


class Attention(nn.Module):
    """Every place looks at every other: rings and lattices are global patterns."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        self.heads = heads
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, width, h, w) to the same shape."""
        batch, width, height, breadth = x.shape
        qkv = self.qkv(self.norm(x)).reshape(batch, 3, self.heads, width // self.heads, -1)
        q, k, v = qkv.transpose(-2, -1).unbind(1)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        mixed = mixed.transpose(-2, -1).reshape(batch, width, height, breadth)
        change: Tensor = self.out(mixed)
        return x + change


class Encoder(nn.Module):
    """Images (batch, channels, 64, 64) and scalars to latent mean and log-variance."""

    def __init__(self, channels: int, scalars: int, width: int, depth: int) -> None:
        super().__init__()
        self.scalars = scalars
        self.stem = nn.Conv2d(16 * channels + scalars, width, 3, padding=1)
        self.wide = nn.Sequential(*[Residual(width) for _ in range(depth)])
        self.down = nn.Conv2d(width, 2 * width, 2, stride=2)
        blocks: list[nn.Module] = []
        for _ in range(depth):
            blocks += [Residual(2 * width), Attention(2 * width)]
        self.deep = nn.Sequential(*blocks)
        self.head = nn.Conv2d(2 * width, 2 * LATENT, 1)

    def forward(self, images: Tensor, scalars: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance, each (batch, LATENT, 8, 8)."""
        x = functional.pixel_unshuffle(images, 4)
        if scalars is not None:
            x = torch.cat([x, scalars[..., None, None].expand(-1, -1, *x.shape[-2:])], 1)
        x = self.deep(self.down(self.wide(self.stem(x))))
        mean, log_variance = self.head(x).chunk(2, 1)
        return mean, log_variance.clamp(-12, 4)


class Decoder(nn.Module):
    """Latent code (batch, LATENT, 8, 8) to a weighted kernel (batch, 64, 64)."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(LATENT, 2 * width, 3, padding=1)
        blocks: list[nn.Module] = []
        for _ in range(depth):
            blocks += [Residual(2 * width), Attention(2 * width)]
        self.deep = nn.Sequential(*blocks)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.wide = nn.Sequential(*[Residual(width) for _ in range(depth)])
        self.head = nn.Conv2d(width, 16, 3, padding=1)

    def forward(self, code: Tensor) -> Tensor:
        """Return the weighted kernel, root mean square about 1."""
        x = self.wide(self.up(self.deep(self.stem(code))))
        return functional.pixel_shuffle(self.head(x), 4)[:, 0]


class KernelVAE(nn.Module):
    """Variational autoencoder of weighted kernels (batch, 64, 64)."""

    def __init__(self, width: int = 64, depth: int = 2) -> None:
        super().__init__()
        self.encoder = Encoder(1, 0, width, depth)
        self.decoder = Decoder(width, depth)

    def forward(self, kernels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return reconstruction, latent mean and log-variance."""
        mean, log_variance = self.encoder(kernels[:, None])
        noise = torch.randn(mean.shape, generator=generator).to(mean.device)
        return self.decoder(mean + noise * (log_variance / 2).exp()), mean, log_variance


class Aligner(Encoder):
    """Encoder of the normal equations, trained to agree with the kernel encoder."""

    def __init__(self, channels: int, scalars: int, width: int = 64, depth: int = 3) -> None:
        super().__init__(channels, scalars, width, depth)
