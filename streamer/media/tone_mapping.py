"""Converts pixel values to light, and maps HDR light to what an SDR screen shows.

Values and light are float arrays of shape (…, 3), RGB. Light is linear; 1 is graphics white, the white of paper or captions:
the top of SDR's range, 203 cd/m² in HDR.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

WHITE_NITS = 203.0
"""Light of graphics white in HDR, in cd/m² (ITU-R BT.2408, section 2.1)."""
KNEE = 0.6
"""Light up to which tone mapping changes nothing, 202 of 255 on the screen: faces, and paper in the shade."""
SCREEN_GAMMA = 2.2
"""Gamma of computer screens: between sRGB for pictures and BT.1886's 2.4 for video in a dark room."""
PQ_PEAK, HLG_PEAK = 10_000 / WHITE_NITS, 1000 / WHITE_NITS
"""The brightest light that PQ can encode, and that HLG has on its reference screen (ITU-R BT.2100)."""
HLG_GAMMA = 1.2
"""System gamma of HLG's reference screen (ITU-R BT.2100, table 5, note 5f)."""
HALVINGS = 12
"""Bisection steps for the share of colour that a light keeps; 12 leave less than a thousandth open."""
NOT_SEEN = 0.02
"""The smallest visible difference, in Oklab (CSS Color 4, section 13.2)."""


class Transfer(IntEnum):
    """Transfer functions, by ITU-T H.273's numbers. The other SDR ones are close enough to the first."""

    SDR = 1
    PQ = 16
    HLG = 18


class Primaries(IntEnum):
    """Colour primaries, by ITU-T H.273's numbers. Those left out are close enough to the first."""

    BT709 = 1
    BT2020 = 9
    DCI_P3 = 11
    DISPLAY_P3 = 12


D65 = (0.3127, 0.3290)
CHROMATICITIES = {
    Primaries.BT709: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), D65),
    Primaries.BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    Primaries.DCI_P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    Primaries.DISPLAY_P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
}
"""x and y of red, green, blue and white (ITU-T H.273, table 2)."""
LUMINANCE_BT709 = np.array((0.2126, 0.7152, 0.0722))
LUMINANCE_BT2020 = np.array((0.2627, 0.6780, 0.0593))
BRADFORD = np.array(((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296)))
"""XYZ to cone responses, for chromatic adaptation (ICC.1:2022, annex E)."""
OKLAB_CONES = np.array(
    (
        (0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005),
    )
)
OKLAB = np.array(
    (
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    )
)
"""BT.709 light to cone responses, and their cube roots to lightness and two colour axes (Björn Ottosson, 2020)."""


def to_linear_light(values: np.ndarray, transfer: Transfer) -> np.ndarray:
    """Convert values, 0..1, to light in the video's own primaries; for HLG these are BT.2020."""
    if transfer is Transfer.SDR:  # sRGB's function, in which the result is written
        return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    if transfer is Transfer.PQ:  # SMPTE ST 2084
        power = values ** (4096 / (2523 * 128))
        ratio = np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)
        return np.asarray(PQ_PEAK * ratio ** (16384 / 2610))
    a = 0.17883277  # ARIB STD-B67
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    scene = np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)
    luminance = np.maximum(scene @ LUMINANCE_BT2020, 0)
    return np.asarray(HLG_PEAK * scene * (luminance ** (HLG_GAMMA - 1))[..., None])


def to_display_light(values: np.ndarray, transfer: Transfer, primaries: Primaries) -> np.ndarray:
    """Convert values to the BT.709 light that a screen shows.

    HDR highlights roll off, and desaturate to white where the screen has no colour that bright.

    Returns:
        Light up to 1. Colours outside BT.709 have components below 0, which the caller clips.
    """
    meant = to_linear_light(values, transfer) @ to_bt709(primaries).T
    if transfer is not Transfer.SDR:
        peak = PQ_PEAK if transfer is Transfer.PQ else HLG_PEAK
        # By luminance alone, bright colours turn white too soon; by the brightest component alone, they never do.
        by_luminance, by_brightest = (_kept(how_bright, peak) for how_bright in (meant @ LUMINANCE_BT709, meant.max(-1)))
        meant = meant * np.sqrt(by_luminance * by_brightest)[..., None]
    return gamut_mapped(meant)


def from_display_light(shown_light: np.ndarray, transfer: Transfer) -> np.ndarray:
    """Convert light to the values, 0..1, that make a screen show it."""
    inside = np.clip(shown_light, 0, 1)
    if transfer is Transfer.SDR:
        return np.asarray(np.where(inside <= 0.0031308, inside * 12.92, 1.055 * np.maximum(inside, 1e-9) ** (1 / 2.4) - 0.055))
    return np.asarray(inside ** (1 / SCREEN_GAMMA))


def tone_mapped(brightness: np.ndarray, peak: float) -> np.ndarray:
    """Map brightness: unchanged up to ``KNEE``, then ever flatter, up to 1 at ``peak``.

    The curve is that of Reinhard et al. (2002, equation 4), starting at the knee.
    """
    most = (peak - KNEE) / (1 - KNEE)
    over = np.maximum(np.minimum(brightness, peak) - KNEE, 0) / (1 - KNEE)
    return np.where(brightness <= KNEE, brightness, KNEE + (1 - KNEE) * over * (1 + over / most**2) / (1 + over))


def _kept(brightness: np.ndarray, peak: float) -> np.ndarray:
    return np.asarray(tone_mapped(brightness, peak) / np.maximum(brightness, 1e-9))


def gamut_mapped(rgb: np.ndarray) -> np.ndarray:
    """Desaturate light above 1, at its lightness and hue, until clipping the rest makes no visible difference.

    Browsers do the same (CSS Color 4, section 13.2), but also for saturated colours that are not too bright.

    Args:
        rgb: Light in BT.709 primaries.

    Returns:
        Light up to 1.
    """
    found = rgb.reshape(-1, 3).copy()
    beyond = np.flatnonzero(found.max(1) > 1)
    lab = _to_oklab(found[beyond])
    found[beyond] = _from_oklab(lab * (1, 0, 0))  # light brighter than white has no colour left
    inside, outside = np.zeros((len(beyond), 1)), np.full((len(beyond), 1), 2.0)  # the first try keeps all of the colour
    for _ in range(HALVINGS):
        share = (inside + outside) / 2
        tried = lab * np.hstack([np.ones_like(share), share, share])
        light_tried = _from_oklab(tried)
        cut_off = np.linalg.norm(_to_oklab(np.minimum(light_tried, 1)) - tried, axis=1, keepdims=True)
        fits = cut_off < NOT_SEEN
        found[beyond] = np.where(fits, light_tried, found[beyond])
        inside, outside = np.where(fits, share, inside), np.minimum(np.where(fits, outside, share), 1)
    return np.asarray(np.minimum(found, 1).reshape(rgb.shape))


def to_bt709(primaries: Primaries) -> np.ndarray:
    """Return the (3, 3) matrix from light in some primaries to light in BT.709 primaries; white stays white."""
    return np.asarray(np.linalg.inv(_to_xyz(Primaries.BT709)) @ _to_xyz(primaries))


def _to_xyz(primaries: Primaries) -> np.ndarray:
    """Return the (3, 3) matrix from light to XYZ under D65."""
    *colours, white = ([x / y, 1.0, (1 - x - y) / y] for x, y in CHROMATICITIES[primaries])
    matrix = np.array(colours).T
    matrix = matrix * np.linalg.solve(matrix, np.array(white))
    wanted = np.array([D65[0] / D65[1], 1.0, (1 - sum(D65)) / D65[1]])
    gain = (BRADFORD @ wanted) / (BRADFORD @ np.array(white))
    return np.asarray(np.linalg.inv(BRADFORD) @ np.diag(gain) @ BRADFORD @ matrix)


def _to_oklab(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(np.cbrt(rgb @ OKLAB_CONES.T) @ OKLAB.T)


def _from_oklab(lab: np.ndarray) -> np.ndarray:
    return np.asarray((lab @ np.linalg.inv(OKLAB).T) ** 3 @ np.linalg.inv(OKLAB_CONES).T)
