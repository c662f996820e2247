"""The finder: a network that marks the scatterers of a map whose kernel nobody knows.

It sees the map on the model grid, where ripples have 4.5 to 26 px, and answers with the
probability that a scatterer stands at each pixel. Attention over the whole map lets it look for
what repeats. What it marks is refined later, together with the kernel.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from qpi_kernel.learn.networks import Attention, Residual
from qpi_kernel.learn.ripples import Ripples

CHANNELS = 3
# A mark this wide [px] is right: less is below what a map of this noise can tell.
MARK_PX = 1.0
# Scatterers weaker than this are not asked for.
LEAST_WEIGHT = 0.3
# Sides of a map must be multiples of this.
STRIDE = 8


class Finder(nn.Module):
    """Maps (batch, 3, height, width) to logits (batch, height, width); sides multiples of 8."""

    def __init__(self, width: int = 48, depth: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(16 * CHANNELS, width, 3, padding=1)
        self.before = nn.Sequential(Residual(width), Residual(width))
        self.down = nn.Conv2d(width, 2 * width, 2, stride=2)
        blocks: list[nn.Module] = []
        for _ in range(depth):
            blocks += [Residual(2 * width), Attention(2 * width)]
        self.deep = nn.Sequential(*blocks)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.join = nn.Conv2d(2 * width, width, 1)
        self.after = nn.Sequential(Residual(width), Residual(width))
        self.head = nn.Conv2d(width, 16, 3, padding=1)
        # Scatterers are rare: a finder that knows nothing marks nothing.
        nn.init.constant_(self.head.bias, -4.0)  # type: ignore[arg-type]  # a bias there is

    def forward(self, images: Tensor) -> Tensor:
        """Return the logit of a scatterer at each pixel."""
        fine = self.before(self.stem(functional.pixel_unshuffle(images, 4)))
        deep = self.up(self.deep(self.down(fine)))
        joined = self.after(self.join(torch.cat([fine, deep], 1)))
        return functional.pixel_shuffle(self.head(joined), 4)[:, 0]


def finder_input(field: Tensor, mask: Tensor) -> Tensor:
    """Return what the finder sees of maps (batch, height, width), sides padded to multiples of 8.

    Cores tower over ripples, so the map comes on two scales, each squeezed by asinh; and where it
    was measured.
    """
    count = mask.sum((-2, -1), keepdim=True).clamp(min=1)
    scale = ((field * mask).square().sum((-2, -1), keepdim=True) / count).sqrt().clamp(min=1e-20)
    shape = field / scale
    images = torch.stack([torch.asinh(shape), torch.asinh(6 * shape) / 2, mask], 1)
    height, width = field.shape[-2:]
    return functional.pad(images, (0, -width % STRIDE, 0, -height % STRIDE))


def finder_loss(logits: Tensor, ripples: Ripples, mask: Tensor) -> Tensor:
    """Return the focal loss of marks against the truth, per scatterer.

    A Gaussian of one pixel around each scatterer is the target; pixels near one are forgiven.
    """
    height, width = mask.shape[-2:]
    target = marks(ripples, height, width).to(logits)
    logits = logits[..., :height, :width]
    found = torch.sigmoid(logits)
    peak = target > 0.88  # within half a pixel of a scatterer
    hit = -functional.logsigmoid(logits) * (1 - found).square() * peak
    false = -functional.logsigmoid(-logits) * found.square() * (1 - target) ** 4 * ~peak
    total = ((hit + false) * mask).sum()
    return total / (peak * mask).sum().clamp(min=1)


def marks(ripples: Ripples, height: int, width: int) -> Tensor:
    """Return the target (batch, height, width): 1 at each scatterer, falling off over a pixel."""
    rows, columns = torch.arange(height)[:, None], torch.arange(width)[:, None]
    places = ripples.places.cpu()
    strong = ripples.weights.abs().cpu() > LEAST_WEIGHT
    down = torch.exp(-((rows - places[:, None, :, 0]) ** 2) / (2 * MARK_PX**2)) * strong[:, None]
    across = torch.exp(-((columns - places[:, None, :, 1]) ** 2) / (2 * MARK_PX**2))
    # The strongest mark counts where several overlap.
    result = torch.zeros(len(places), height, width)
    for index in range(places.shape[1]):
        torch.maximum(result, down[:, :, None, index] * across[:, None, :, index], out=result)
    return result
