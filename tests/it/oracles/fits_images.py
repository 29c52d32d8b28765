"""Images of every kind, made by astropy and CFITSIO, and what astropy and CFITSIO cut out of them.

`fits_images.py make FOLDER` writes them to FOLDER/sky, and to FOLDER/positions.csv positions with boxes in pixels.
`fits_images.py compare FOLDER MANIFEST CUTOUTS EDGE` holds the cutouts of a job against the same boxes cut by astropy's
Cutout2D: where they lie, each pixel, and where its header says that it lies on the sky.
"""

import collections
import csv
import itertools
import json
import pathlib
import subprocess
import sys
import warnings

import numpy
from astropy import log
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.nddata.utils import NoOverlapError
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

WIDTH, HEIGHT = 70, 52
# Pixel (from 0) of a position in each image, and the box there: inside, over an edge, over a corner, of one pixel, of all.
PLACES = [((35.3, 26.7), (24, 17)), ((2.2, 30.4), (12, 9)), ((66.9, 49.2), (15, 14)), ((51.4, 8.2), (1, 1)),
          ((30.3, 20.2), (200, 150))]


def tan(crval=(10.0, 20.0)):
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRVAL1"], header["CRVAL2"] = crval
    header["CRPIX1"], header["CRPIX2"] = 33.25, 21.75
    header["CDELT1"], header["CDELT2"] = -0.001, 0.001
    header["CUNIT1"] = header["CUNIT2"] = "deg"
    header["RADESYS"] = "ICRS"
    # Another description, of which no pixel may move either.
    header["WCSNAMEA"], header["CTYPE1A"], header["CTYPE2A"] = "PHYSICAL", "LINEAR", "LINEAR"
    header["CRPIX1A"], header["CRPIX2A"], header["CRVAL1A"], header["CRVAL2A"] = 1.0, 2.0, 100.0, 200.0
    return header


class Maker:
    def __init__(self, folder):
        self.folder = folder
        self.noise = numpy.random.default_rng(5)

    def whole(self, dtype, shape=(HEIGHT, WIDTH), low=0, high=100):
        wave = numpy.indices(shape).sum(axis=0)
        return (low + (wave * wave + self.noise.integers(0, 30, shape)) % (high - low)).astype(dtype)

    def real(self, dtype, shape=(HEIGHT, WIDTH), nan=False):
        pixels = self.noise.normal(100, 3, shape) + numpy.indices(shape)[-1]
        pixels[..., 5:9, 40:50] = 0.0
        if nan:
            pixels[..., 20:23, 30:41] = numpy.nan
            pixels[..., 0, :] = numpy.nan
        return pixels.astype(dtype)

    def write(self, name, *hdus):
        fits.HDUList(list(hdus)).writeto(self.folder / f"{name}.fits", checksum=True)

    def plain(self, name, pixels, header=None, **cards):
        hdu = fits.PrimaryHDU(pixels, header or tan())
        hdu.header.update(cards)
        self.write(name, hdu)

    def compressed(self, name, pixels, header=None, **how):
        self.write(name, fits.PrimaryHDU(), fits.CompImageHDU(pixels, header or tan(), name="SCI", **how))

    def raw(self, name, stored, **cards):
        """A plain image of these numbers as they are stored, whatever BSCALE and BZERO."""
        hdu = fits.PrimaryHDU(stored, tan())
        hdu.header.update(cards)
        # As it is: astropy would scale it.
        path = self.folder / f"{name}.fits"
        fits.PrimaryHDU(stored, tan()).writeto(path)
        with fits.open(path, mode="update", do_not_scale_image_data=True) as there:
            there[0].header.update(cards)
        return path

    def fpack(self, source, name, *flags):
        # CFITSIO names its output by this alone.
        subprocess.run(["fpack", *flags, "-O", str(self.folder / f"{name}.fits"), str(source)], check=True,
                       capture_output=True, stdin=subprocess.DEVNULL)


def make_pixels(maker, scratch):
    """Every codec, number type, shape of tiles, scaling, dither."""
    tiles = {"rows": (1, WIDTH), "squares": (16, 32), "one": (HEIGHT, WIDTH), "odd": (11, 13)}
    for bits, dtype in [(8, "u1"), (16, ">i2"), (32, ">i4"), (64, ">i8")]:
        low, high = (0, 250) if bits == 8 else (-3000, 3000)
        maker.plain(f"plain_{bits}", maker.whole(dtype, low=low, high=high))
        for codec, (kind, tile) in itertools.product(
                ["RICE_1", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1", "NOCOMPRESS"], tiles.items()):
            # RICE and HCOMPRESS know no 64 bits; PLIO is for masks; HCOMPRESS has no tiles of one row.
            if bits == 64 and codec not in ("GZIP_1", "GZIP_2", "NOCOMPRESS") or codec == "HCOMPRESS_1" and kind == "rows":
                continue
            pixels = maker.whole(dtype, low=0 if codec == "PLIO_1" else low, high=high)
            maker.compressed(f"{codec}_{bits}_{kind}", pixels, compression_type=codec, tile_shape=tile)
    for bits, dtype in [(32, ">f4"), (64, ">f8")]:
        maker.plain(f"plain_real{bits}", maker.real(dtype, nan=True))
        for codec, (kind, tile) in itertools.product(["GZIP_1", "GZIP_2", "NOCOMPRESS"], tiles.items()):
            maker.compressed(f"{codec}_real{bits}_{kind}", maker.real(dtype, nan=True), compression_type=codec,
                             tile_shape=tile, quantize_level=0.0)
        for codec, (kind, tile), method in itertools.product(["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1"],
                                                             list(tiles.items()), [-1, 1, 2]):
            if codec == "HCOMPRESS_1" and kind == "rows":
                continue
            nan = codec != "HCOMPRESS_1" and kind != "odd"
            maker.compressed(f"{codec}_quantised{bits}_{kind}_{method % 4}", maker.real(dtype, nan=nan),
                             compression_type=codec, tile_shape=tile, quantize_method=method,
                             quantize_level=[4.0, 16.0, -0.25, 1.0][list(tiles).index(kind)],
                             dither_seed=[42, 9999, 1, 10000][list(tiles).index(kind)])
    for dtype in ["u2", "u4", "u8", "i1"]:
        info = numpy.iinfo(dtype)
        pixels = maker.whole("i8", high=120).astype(dtype) + numpy.array(info.max // 2, dtype)
        maker.plain(f"plain_{dtype}", pixels)
        if dtype in ("u2", "u4"):
            for codec in ["RICE_1", "GZIP_2"]:
                maker.compressed(f"{codec}_{dtype}", pixels, compression_type=codec, tile_shape=(16, 32))
    for bits, dtype in [(8, "u1"), (16, ">i2"), (32, ">i4")]:
        stored = maker.whole(dtype, low=0, high=200)
        stored[10:20, 30:45] = 7
        scaled = maker.raw(f"scaled_{bits}", stored, BSCALE=0.25, BZERO=-17.5)
        blank = maker.raw(f"blank_{bits}", stored, BSCALE=0.25, BZERO=-17.5, BLANK=7)
        for source, flag in itertools.product([scaled, blank], ["-r", "-g1"]):
            maker.fpack(source, f"fpack_{source.stem}{flag}", flag)
    maker.compressed("lossy_smooth", maker.whole(">i2", high=3000), compression_type="HCOMPRESS_1", hcomp_scale=3,
                     hcomp_smooth=1, tile_shape=(HEIGHT, WIDTH))
    maker.compressed("lossy", maker.whole(">i2", high=3000), compression_type="HCOMPRESS_1", hcomp_scale=3,
                     tile_shape=(26, 35))
    # What CFITSIO writes, by its own packer.
    reals = scratch / "reals.fits"
    fits.PrimaryHDU(maker.real(">f4", nan=True), tan()).writeto(reals)
    wholes = scratch / "wholes.fits"
    fits.PrimaryHDU(maker.whole(">i2", high=3000), tan()).writeto(wholes)
    for name, flags in [("rice", ["-r"]), ("rice_tiles", ["-r", "-t", "32,16"]), ("whole", ["-w"]), ("gzip1", ["-g1"]),
                        ("gzip2", ["-g2"]), ("none", ["-d"]), ("hcompress", ["-h"]), ("hcompress_whole", ["-h", "-w"])]:
        maker.fpack(wholes, f"fpack_{name}", *flags)
    for name, flags in [("q", ["-q", "4"]), ("q0", ["-q0", "4"]), ("qz", ["-qz", "16"]), ("q77", ["-q77", "-0.5"]),
                        ("tiles", ["-t", "32,16", "-q", "8"]), ("lossless1", ["-g1", "-q", "0"]),
                        ("lossless2", ["-g2", "-q", "0"]), ("gzip_q", ["-g2", "-qz", "4"]), ("whole", ["-w", "-q", "4"])]:
        maker.fpack(reals, f"fpack_real_{name}", *flags)
    masks = scratch / "masks.fits"
    fits.PrimaryHDU((maker.whole("u1", high=9) // 8 * 3).astype("u1"), tan()).writeto(masks)
    maker.fpack(masks, "fpack_mask", "-p")


def make_files(maker, scratch):
    """Several HDUs and several axes."""
    table = fits.BinTableHDU.from_columns([fits.Column("A", "J", array=numpy.arange(5))], name="CAT")
    header = tan()
    science, weight = maker.real(">f4"), maker.real(">f4") ** 2
    mask = maker.whole("u1", high=9)

    def hdus(kind, **how):
        own = {"compression_type": how.get("codec", "RICE_1"), "tile_shape": how.get("tile", (16, 32))}
        of_mask = {"compression_type": "PLIO_1", "tile_shape": (1, WIDTH)}
        if kind is fits.ImageHDU:
            own, of_mask = {}, {}
        primary = fits.PrimaryHDU()
        primary.header["BAND"], primary.header["OBS-ID"] = "150GHz", how["obs"]
        return [primary, kind(science, header, name="SCI", **own), table.copy(), kind(weight, header, name="WGT", **own),
                # Without coordinates: it lies where the image of its shape lies.
                kind(mask, name="DQ", **of_mask)]
    maker.write("mef", *hdus(fits.ImageHDU, obs="1"))
    maker.write("mef_rice", *hdus(fits.CompImageHDU, obs="2"))
    maker.write("mef_gzip", *hdus(fits.CompImageHDU, obs="3", codec="GZIP_2", tile=(1, WIDTH)))
    fpacked = scratch / "mef.fits"
    fits.HDUList(hdus(fits.ImageHDU, obs="4")).writeto(fpacked)
    maker.fpack(fpacked, "mef_fpack", "-r", "-t", "32,16")
    for name, shape in [("cube", (5, HEIGHT, WIDTH)), ("hypercube", (2, 3, HEIGHT, WIDTH)), ("flat", (1, 1, HEIGHT, WIDTH))]:
        for axis, length in enumerate(reversed(shape[:-2]), 3):
            header = tan()
            header[f"CTYPE{axis}"] = ["FREQ", "STOKES"][axis - 3]
            header[f"CRPIX{axis}"], header[f"CRVAL{axis}"], header[f"CDELT{axis}"] = 1.0, [1.5e11, 1.0][axis - 3], 1.0
        maker.plain(name, maker.real(">f4", shape), header)
        maker.compressed(f"{name}_gzip", maker.whole(">i2", shape, high=900), header, compression_type="GZIP_2",
                         tile_shape=(1,) * (len(shape) - 2) + (16, 32))
        maker.compressed(f"{name}_rice", maker.real(">f4", shape), header, compression_type="RICE_1",
                         tile_shape=shape[:-2] + (16, 32), quantize_method=2, dither_seed=77)
    # The celestial axes behind another, and latitude first.
    turned = fits.Header()
    for axis, (ctype, crval, crpix, cdelt) in enumerate(
            [("FREQ", 1.4e9, 1.0, 1e6), ("DEC--TAN", 20.0, 21.75, 0.001), ("RA---TAN", 10.0, 33.25, -0.001)], 1):
        turned[f"CTYPE{axis}"], turned[f"CRVAL{axis}"] = ctype, crval
        turned[f"CRPIX{axis}"], turned[f"CDELT{axis}"] = crpix, cdelt
    pixels = numpy.ascontiguousarray(numpy.moveaxis(maker.whole(">i4", (4, HEIGHT, WIDTH), high=5000), (0, 1), (2, 1)))
    maker.plain("turned", pixels, turned)
    maker.compressed("turned_rice", pixels, turned, compression_type="RICE_1", tile_shape=(20, 16, 4))


SIP = {"A_ORDER": 3, "B_ORDER": 3, "A_2_0": 2e-5, "A_1_1": -1e-5, "A_0_3": 3e-8, "B_0_2": 1e-5, "B_2_1": -2e-8}
SIP_INVERSE = {"AP_ORDER": 3, "BP_ORDER": 3, "AP_2_0": -2e-5, "AP_1_1": 1e-5, "BP_0_2": -1e-5}
TPV = {"PV1_0": 1e-5, "PV1_1": 1.0, "PV1_2": 0.001, "PV1_4": 0.02, "PV1_7": 0.3, "PV2_0": -1e-5, "PV2_1": 1.0,
       "PV2_5": -0.02, "PV2_8": 0.1}
PROJECTIONS = {
    "TAN": {}, "ZEA": {}, "CAR": {}, "SIN": {}, "ARC": {}, "HPX": {}, "AIT": {},
    "SINslant": {"PV2_1": 0.02, "PV2_2": -0.03}, "TAN-SIP": SIP, "TAN-SIPinverse": SIP | SIP_INVERSE, "TPV": TPV,
    # As SCAMP has written it.
    "TANscamp": TPV,
}
PLACES_ON_SKY = {"field": (83.6, 22.0), "origin": (0.002, -30.0), "equator": (359.99, 0.0), "north": (40.0, 90.0),
                 "south": (250.0, -89.99)}


def make_skies(maker):
    """Every projection, inside a field, across RA 0, and at the poles."""
    pixels = maker.whole(">i2", high=3000)
    for (name, extra), (place, (ra, dec)) in itertools.product(PROJECTIONS.items(), PLACES_ON_SKY.items()):
        code = name[:3]
        header = tan((ra, dec))
        suffix = "-SIP" if "SIP" in name else ""
        header["CTYPE1"], header["CTYPE2"] = f"RA---{code}{suffix}", f"DEC--{code}{suffix}"
        for key in ("CDELT1", "CDELT2"):
            del header[key]
        angle, scale = numpy.radians(25.0), 0.01
        header["CD1_1"], header["CD1_2"] = -scale * numpy.cos(angle), scale * numpy.sin(angle)
        header["CD2_1"], header["CD2_2"] = scale * numpy.sin(angle), scale * numpy.cos(angle) * 1.1
        header.update(extra)
        maker.plain(f"sky_{name}_{place}", pixels, header)
    # Maps of the whole sky, and the equator in a cylinder far from its reference.
    for code, scale in [("AIT", 4.5), ("CAR", 5.0), ("HPX", 5.0), ("ZEA", 3.8)]:
        header = tan((0.0, 0.0))
        header["CTYPE1"], header["CTYPE2"] = f"RA---{code}", f"DEC--{code}"
        header["CRPIX1"], header["CRPIX2"], header["CDELT1"], header["CDELT2"] = 35.5, 26.5, -scale, scale
        maker.plain(f"sky_all_{code}", pixels, header)
    header = tan((0.0, 0.0))
    header["CTYPE1"], header["CTYPE2"], header["CRPIX1"], header["CRPIX2"] = "RA---CAR", "DEC--CAR", 17000.0, -3000.5
    header["CDELT1"], header["CDELT2"] = -0.01, 0.01
    maker.plain("sky_far_CAR", pixels, header)
    for name, cards in {
            "galactic": {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN", "RADESYS": None},
            "fk5": {"RADESYS": "FK5", "EQUINOX": 2000.0}, "fk5old": {"RADESYS": "FK5", "EQUINOX": 1975.0},
            "fk4": {"RADESYS": "FK4", "EQUINOX": 1950.0},
            "lonpole": {"CTYPE1": "RA---ZEA", "CTYPE2": "DEC--ZEA", "LONPOLE": 150.0},
            "crota": {"CROTA2": 33.0}, "pc": {"PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8},
            "arcsec": {"CUNIT1": "arcsec", "CUNIT2": "arcsec", "CRVAL1": 54000.0, "CRVAL2": 72000.0, "CDELT1": -3.6,
                       "CDELT2": 3.6},
    }.items():
        header = tan((15.0, 20.0))
        for key, value in cards.items():
            if value is None:
                del header[key]
            else:
                header[key] = value
        maker.plain(f"sky_{name}", pixels, header)


def celestial_of(hdus, number):
    """The coordinates of an HDU, or of the image of its shape."""
    hdu = hdus[number]
    wcs = WCS(hdu.header, fix=False)
    if wcs.has_celestial:
        return wcs
    return next(WCS(other.header) for other in hdus if getattr(other, "shape", None) == hdu.shape
                and WCS(other.header).has_celestial)


def axes_of(wcs):
    """The pixel axes of x and y, from 0, and the coordinates of the pair."""
    if wcs.naxis == 2:
        return [0, 1], wcs
    pair = sorted([wcs.wcs.lng, wcs.wcs.lat])
    return pair, wcs.sub([axis + 1 for axis in pair])


def make(folder):
    sky, scratch = folder / "sky", folder / "scratch"
    sky.mkdir()
    scratch.mkdir()
    maker = Maker(sky)
    make_pixels(maker, scratch)
    make_files(maker, scratch)
    make_skies(maker)
    rows = {}
    for path in sorted(sky.iterdir()):
        with fits.open(path) as hdus:
            number = next(n for n, hdu in enumerate(hdus) if hdu.header.get("NAXIS") >= 2 and WCS(hdu.header).has_celestial)
            wcs = axes_of(celestial_of(hdus, number))[1]
            for (x, y), size in PLACES:
                place = wcs.pixel_to_world(x, y).icrs
                if numpy.isfinite(place.ra.deg):
                    rows.setdefault((round(float(place.ra.deg) % 360, 11), round(float(place.dec.deg), 11), *size), []).append(path.name)
    with open(folder / "positions.csv", "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["RA", "DEC", "OBJID", "SIZE", "MADE IN"])
        for number, ((ra, dec, width, height), names) in enumerate(rows.items()):
            writer.writerow([repr(ra), repr(dec), f"p{number}", f"{width},{height}px", " ".join(names)])
    return {"images": len(list(sky.iterdir())), "positions": len(rows)}


class Images:
    """Images as astropy reads them, and packed ones as CFITSIO unpacks them."""

    def __init__(self, folder, how):
        self.folder, self.how, self.open = folder, how, {}
        # Those that CFITSIO does not read.
        self.foreign = []
        self.known = {}

    def hdus(self, name):
        if name not in self.open:
            path = self.folder / "sky" / name
            read = [fits.open(path, **self.how)]
            if any(isinstance(hdu, fits.CompImageHDU) for hdu in read[0]):
                unpacked = subprocess.run(["funpack", "-S", str(path)], check=False, capture_output=True)
                if unpacked.returncode == 0:
                    read.append(fits.HDUList.fromstring(unpacked.stdout, **self.how))
                else:
                    self.foreign.append(name)
            self.open[name] = read, fits.open(path, do_not_scale_image_data=True)
        return self.open[name]

    def celestial(self, name, number):
        """The pixel axes of x and y of an HDU, from 0, and its coordinates."""
        if (name, number) not in self.known:
            self.known[name, number] = axes_of(celestial_of(self.hdus(name)[0][0], number))
        return self.known[name, number]


def same(one, other):
    real = numpy.issubdtype(one.dtype, numpy.floating)
    return one.shape == other.shape and bool(numpy.array_equal(one, other, equal_nan=real))


def cut_by_astropy(pixels, axes, wcs, at, size, pad):
    """The box of an image, plane by plane, and the coordinates of it."""
    pair = [pixels.ndim - 1 - axis for axis in axes]
    planes = numpy.moveaxis(pixels, [pair[1], pair[0]], [-2, -1])
    outside = planes.shape[:-2]
    how = {"mode": "partial", "fill_value": numpy.nan} if pad else {"mode": "trim"}
    cut = [Cutout2D(plane.astype(float) if pad else plane, at, (size[1], size[0]), wcs=wcs, **how)
           for plane in planes.reshape(-1, *planes.shape[-2:])]
    data = numpy.stack([one.data for one in cut]).reshape(*outside, *cut[0].data.shape)
    return numpy.moveaxis(data, [-2, -1], [pair[1], pair[0]]), cut[0]


def compare_hdu(told, images, row, size, cut, scaled, pad):
    (read, stored), number = images.hdus(row["image"]), cut.header["CUTHDU"]
    hdus = read[0]
    axes, wcs = images.celestial(row["image"], number)
    x, y = map(float, wcs.world_to_pixel(SkyCoord(row["ra"], row["dec"], unit="deg")))
    want, first = cut_by_astropy(hdus[number].data, axes, wcs, (x, y), size, pad)
    told["hdus"] += 1
    (y_min, y_max), (x_min, x_max) = first.bbox_original
    if not pad:
        box = f"[{x_min + 1}:{x_max + 1}, {y_min + 1}:{y_max + 1}]"
        if cut.header["CUTBOX"] != box:
            yield f"its box is {cut.header['CUTBOX']}, astropy's {box}"
    got = scaled.data.astype(float) if pad else scaled.data
    if pad and (cut.header["BITPIX"], cut.header.get("BZERO")) == (8, -128) and "BLANK" in cut.header:
        # Signed bytes, of which astropy takes a BLANK of 0 for none.
        got[cut.data == cut.header["BLANK"]] = numpy.nan
    if not same(want, got):
        yield f"its pixels are not astropy's: {want.dtype} {want.shape}, {got.dtype} {got.shape}, {differing(want, got)}"
    if not pad and want.dtype.newbyteorder("=") != got.dtype.newbyteorder("="):
        yield f"its pixels are {got.dtype}, astropy's {want.dtype}"
    for other in read[1:]:
        if numpy.issubdtype(got.dtype, numpy.floating) and hdus[number].tile_shape[-1] < hdus[number].shape[-1] and (
                numpy.isnan(hdus[number].data).any()):
            # CFITSIO itself does not find back what was undefined before it packed such an image.
            continue
        unpacked = [hdu for hdu in other if getattr(hdu, "data", None) is not None and hdu.is_image]
        packed = [n for n, hdu in enumerate(hdus) if n and hdu.is_image]
        unpacked = unpacked[packed.index(number)]
        if not same(cut_by_astropy(unpacked.data, axes, wcs, (x, y), size, pad)[0], got):
            yield "its pixels are not CFITSIO's"
        told["cfitsio"] += 1
    if not pad:
        raw = cut_by_astropy(stored[number].data, axes, wcs, (x, y), size, pad)[0]
        if not same(raw, cut.data):
            yield f"its stored numbers are not astropy's: {differing(raw, cut.data)}"
    header = WCS(cut.header, fix=False)
    if not header.has_celestial:
        return
    nx, ny = cut.data.shape[::-1][axes[0]], cut.data.shape[::-1][axes[1]]
    grid = numpy.array(list(itertools.product(numpy.linspace(-0.5, nx - 0.5, 5), numpy.linspace(-0.5, ny - 0.5, 5))))
    here, there = (one.all_pix2world(grid, 0) for one in (axes_of(header)[1], first.wcs))
    if not (numpy.isfinite(here) == numpy.isfinite(there)).all():
        yield "its pixels lie on the sky where astropy's do not"
    on_sky = numpy.isfinite(here).all(axis=1)
    unit = [str(one) for one in wcs.wcs.cunit]
    here, there = (SkyCoord(*one[on_sky].T[::1 if wcs.wcs.lng < wcs.wcs.lat else -1], unit=unit) for one in (here, there))
    off = here.separation(there).deg / min(abs(proj_plane_pixel_scales(wcs)))
    kind = row["image"].removesuffix(".fits").split("_")[1] if row["image"].startswith("sky_") else "pixels"
    told["off"][kind] = max([told["off"].get(kind, 0.0), *map(float, off)])
    told["points"] += len(off)
    if "CRPIX1A" in hdus[number].header:
        one, other = WCS(hdus[number].header, key="A", fix=False), WCS(cut.header, key="A", fix=False)
        origin = [0] * one.naxis
        origin[axes[0]], origin[axes[1]] = first.origin_original if not pad else (x_min - first.bbox_cutout[1][0], y_min - first.bbox_cutout[0][0])
        here = numpy.zeros((1, one.naxis))
        if not numpy.allclose(other.wcs_pix2world(here, 0), one.wcs_pix2world(here + origin, 0), atol=1e-9):
            yield "its other coordinates have moved"


def differing(one, other):
    if one.shape != other.shape:
        return "of another shape"
    apart = (one != other) & ~((one != one) & (other != other))
    first = tuple(int(n[0]) for n in numpy.nonzero(apart)) if apart.any() else None
    return f"{int(apart.sum())} differ, first {first}: {one[first]} and {other[first]}" if first else "alike"


def compare(folder, manifest, cutouts, edge):
    # Of unsigned numbers some of which are undefined astropy can only make real ones.
    how = {"uint": edge != "pad"}
    images = Images(folder, how)
    with open(folder / "positions.csv", newline="", encoding="utf-8") as rows:
        asked = list(csv.DictReader(rows))
    sizes = [tuple(int(side) for side in row["SIZE"].removesuffix("px").split(",")) for row in asked]
    told = {"rows": 0, "hdus": 0, "cfitsio": 0, "points": 0, "off": {}, "images": 0, "faults": []}
    made = collections.Counter()
    for row in json.loads(manifest.read_text())["rows"]:
        if row["status"] != "ok":
            told["faults"].append(f"{row['id']} {row['image']}: {row['reason']}: {row['message']}")
            continue
        told["rows"] += 1
        made[row["image"]] += 1
        path = cutouts / row["file"]
        # Of other images' positions there are very many; padding is nothing where there is none.
        own = row["image"] in asked[row["row"] - 1]["MADE IN"].split()
        if not own or not path.exists() or edge == "pad" and row["coverage"] == 1:
            continue
        with fits.open(path, do_not_scale_image_data=True, checksum=True) as cuts, fits.open(path, **how) as scaled:
            for n, cut in enumerate(cuts):
                if cut.data is None or "CUTHDU" not in cut.header:
                    continue
                for fault in compare_hdu(told, images, row, sizes[row["row"] - 1], cut, scaled[n], edge == "pad"):
                    told["faults"].append(f"{row['file']}[{n}]: {fault}")
    told["images"] = len(made)
    # Each position was made in an image.
    few = [path.name for path in (folder / "sky").iterdir() if made[path.name] < len(PLACES) - 2]
    told["few"] = few
    told["foreign"] = images.foreign
    told["faults"] = told["faults"][:40]
    return told


# astropy says a lot of some headers; what it prints is for the caller alone.
log.setLevel("ERROR")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", fits.verify.VerifyWarning)
    what, folder, *rest = sys.argv[1:]
    folder = pathlib.Path(folder)
    if what == "make":
        print(json.dumps(make(folder)))
    else:
        print(json.dumps(compare(folder, pathlib.Path(rest[0]), pathlib.Path(rest[1]), rest[2])))
