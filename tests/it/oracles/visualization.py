"""What astropy.visualization makes of seeded images: `visualization.py`.

Prints cuts of images (null is an undefined pixel), stretches of shares from 0 to 1, and colour pictures of three bands.
"""

import json
import warnings

import numpy
from astropy import visualization as v

warnings.simplefilter("ignore")
random = numpy.random.default_rng(20260511)


def sky(shape, stars=0, level=0.0, sigma=1.0):
    image = random.normal(level, sigma, shape)
    for _ in range(stars):
        image[tuple(random.integers(0, length) for length in shape)] += random.exponential(1000)
    return image


def listed(values):
    return [None if numpy.isnan(value) else float(value) for value in numpy.ravel(values)]


IMAGES = {
    "noise": sky((64, 64)),
    "stars": sky((60, 71), 60, 1200, 30),
    "crowded": sky((50, 50), 1500),
    "gradient": numpy.add.outer(numpy.arange(50.0), numpy.arange(80.0)) + sky((50, 80)),
    "bimodal": numpy.where(random.random((50, 50)) < 0.5, 0, 100) + sky((50, 50)),
    "zeros and sources": numpy.where(random.random((60, 60)) < 0.9, 0, sky((60, 60), 0, 10)),
    "constant": numpy.full((40, 40), 7.5),
    "large numbers": sky((40, 50)) * 1e250,
    "just over the samples": sky((1, 1999), 10),
    "one": numpy.array([[3.0]]),
    "four": numpy.array([[1.0, 2.0, 3.0, 50.0]]),
    "seven": numpy.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 900.0]]),
    "hundreds": sky((17, 19), 3),
}
holes = sky((64, 64), 30)
holes[random.random(holes.shape) < 0.3] = numpy.nan
IMAGES["holes"] = holes

CUTS = {
    "zscale": v.ZScaleInterval(),
    "minmax": v.MinMaxInterval(),
    "99.5%": v.PercentileInterval(99.5),
    "90%": v.PercentileInterval(90),
    "2%,60%": v.AsymmetricPercentileInterval(2, 60),
}
STRETCHES = {"linear": v.LinearStretch(), "sqrt": v.SqrtStretch(), "log": v.LogStretch(), "asinh": v.AsinhStretch()}

images = [
    {"name": name, "values": listed(image),
     "cuts": {text: list(map(float, interval.get_limits(image))) for text, interval in CUTS.items()}}
    for name, image in IMAGES.items()
]
shares = numpy.linspace(0, 1, 41)
stretches = {name: listed(stretch(shares.copy())) for name, stretch in STRETCHES.items()}
colours = []
for low, high in [(0, 5), (-2, 1), (3, 300)]:
    bands = [sky((20, 30), 40, 2, 1) for _ in range(3)]
    picture = v.make_lupton_rgb(*bands, minimum=low, stretch=high - low, Q=8)
    colours.append({"cuts": f"{low},{high}", "width": 30, "bands": list(map(listed, bands)),
                    "picture": picture[::-1].ravel().tolist()})
print(json.dumps({"images": images, "shares": listed(shares), "stretches": stretches, "colours": colours}))
