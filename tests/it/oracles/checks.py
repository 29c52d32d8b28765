"""Has every FITS file of a folder checked by HEASARC's fitsverify and by astropy: `checks.py FOLDER`.

Prints the number of errors and warnings of the one, and what the other says, file by file.
"""

import json
import pathlib
import re
import subprocess
import sys
import warnings

from astropy.io import fits


THIRD_AXIS = re.compile(r"Warning: Keyword #\d+, [A-Z]+3: index 3 is not in range 1-2 \(NAXIS\)")
COMPRESSED = re.compile(r"^ +1 COMPRESSED_DATA ", re.MULTILINE)


def check(path):
    told = subprocess.run(["fitsverify", path], capture_output=True, text=True)
    # It counts the axes of the table that an image is compressed in, in fpack's files too.
    third = THIRD_AXIS.findall(told.stdout) if COMPRESSED.search(told.stdout) else []
    found = {"fitsverify": told.returncode - len(third), "says": told.stdout if told.returncode else ""}
    try:
        with fits.open(path, checksum=True, disable_image_compression=True) as hdus:
            hdus.verify("exception")
            # 1 for each sum that is there and right, 2 that is not there.
            found["sums"] = [[hdu.verify_checksum(), hdu.verify_datasum()] for hdu in hdus]
        with fits.open(path) as hdus:
            hdus.verify("exception")
            found["kinds"] = [type(hdu).__name__ for hdu in hdus if hdu.data is not None]
    except (fits.VerifyError, OSError, UserWarning) as error:
        found["astropy"] = str(error)
    return found


with warnings.catch_warnings():
    warnings.simplefilter("error")
    paths = [path for path in sorted(pathlib.Path(sys.argv[1]).iterdir()) if ".fits" in path.name]
    print(json.dumps({path.name: check(path) for path in paths}))
