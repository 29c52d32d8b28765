"""Makes tiles.fits.gz (its argument): images that astropy, by the code of CFITSIO, compresses in tiles, each with the
digest of what it unpacks it to. With astropy 8.0.2."""
import gzip, hashlib, io, sys
import numpy as np
from astropy.io import fits

rng = np.random.default_rng(4)

def digest(data):
    values = np.where(np.isnan(data.astype("f8")), np.nan, data.astype("f8"))
    return hashlib.sha256(values.astype(">f8").tobytes()).hexdigest()

def whole(kind, shape=(13, 21), deep=False):
    info = np.iinfo(kind)
    if deep:
        return rng.integers(info.min, info.max, shape, kind, endpoint=True)
    values = 60 + np.cumsum(rng.integers(-3, 4, shape), axis=1)
    values[2:5] = 7
    return values.clip(0, 200).astype(kind)

def real(kind="f4", shape=(13, 21)):
    return (rng.normal(0, 1, shape) + np.arange(shape[-1])).astype(kind)

holes = real(); holes[3, 4] = np.nan; holes[9:11, 8:] = np.nan
zeros = real(); zeros[5] = 0; zeros[7, 3] = np.nan
odd = real(); odd[:8, :8] = 1e30 * odd[:8, :8]; odd[8:, 8:16] = 3
blank = whole("i2"); blank[3, 3] = -99
R, G1, G2, N = "RICE_1", "GZIP_1", "GZIP_2", "NOCOMPRESS"
cases = [
    ("RICE_1, 8 bits", R, whole("u1"), {}),
    ("RICE_1, 8 bits, any", R, whole("u1", deep=True), {}),
    ("RICE_1, 16 bits", R, blank, {"header": {"BLANK": -99}}),
    ("RICE_1, 16 bits, any", R, whole("i2", deep=True), {}),
    ("RICE_1, 16 bits, no sign", R, whole("u2", deep=True), {}),
    ("RICE_1, 32 bits", R, whole("i4"), {}),
    ("RICE_1, 32 bits, any", R, whole("i4", deep=True), {}),
    ("RICE_1, a cube", R, whole("i2", (5, 13, 21)), {"tile_shape": (2, 8, 8)}),
    ("GZIP_1, 8 bits", G1, whole("u1"), {}),
    ("GZIP_1, 16 bits", G1, whole("i2"), {}),
    ("GZIP_2, 16 bits", G2, whole("i2"), {}),
    ("GZIP_2, 32 bits", G2, whole("i4", deep=True), {}),
    ("NOCOMPRESS, 16 bits", N, whole("i2"), {}),
    ("reals, no dither", R, real(), {"quantize_method": -1}),
    ("reals, dither 1", R, holes, {"quantize_method": 1, "dither_seed": 9998}),
    ("reals, dither 2", R, zeros, {"quantize_method": 2, "dither_seed": 17}),
    ("reals, GZIP_1, dither 1", G1, holes, {"quantize_method": 1, "dither_seed": 5}),
    ("reals, GZIP_2, dither 2", G2, zeros, {"quantize_method": 2, "dither_seed": 5}),
    ("reals of 64 bits, dither 1", R, real("f8"), {"quantize_method": 1, "dither_seed": 1}),
    ("reals, some not quantised", R, odd, {"quantize_method": 1, "dither_seed": 1}),
    ("reals, GZIP_1, as they are", G1, holes, {"quantize_level": 0}),
    ("reals, GZIP_2, as they are", G2, holes, {"quantize_level": 0}),
    ("reals of 64 bits, GZIP_2, as they are", G2, real("f8"), {"quantize_level": 0}),
    ("reals, more than the random numbers", R, np.round(real(shape=(110, 100)) / 4), {"quantize_method": 1, "dither_seed": 4321, "tile_shape": (110, 100), "quantize_level": -0.5}),
    ("HCOMPRESS_1", "HCOMPRESS_1", whole("i2", (16, 16)), {}),
    ("PLIO_1", "PLIO_1", whole("i2"), {}),
]
hdus = fits.HDUList([fits.PrimaryHDU()])
for name, method, data, more in cases:
    more = {"tile_shape": (8,) * data.ndim, **more}
    header = fits.Header(more.pop("header", {}))
    hdus.append(fits.CompImageHDU(data, header, name=name, compression_type=method, **more))
out = io.BytesIO()
hdus.writeto(out)
read = fits.open(io.BytesIO(out.getvalue()))
plain = [digest(hdu.data) for hdu in read[1:]]
raw = fits.open(io.BytesIO(out.getvalue()), disable_image_compression=True)
for hdu, digested in zip(raw[1:], plain):
    hdu.header["UNPACKED"] = digested
out = io.BytesIO()
raw.writeto(out)
with open(sys.argv[1], "wb") as file:
    file.write(gzip.compress(out.getvalue(), 9, mtime=0))
