//! The peer of `benches/cutout.rs`: the same boxes cut out by CFITSIO through the fitsio crate.
//!
//! `cfitsio-cutouts IMAGE POSITIONS FOLDER`: POSITIONS is a CSV RA,DEC,X,Y with a header, (X, Y) the first pixel of
//! each box, 1-based. The cutout of row N becomes FOLDER/N.fits with the source's cards, CRPIX moved. Unlike ours it
//! need not turn positions into pixels, and writes no checksums. One thread, one open file, header read once: what
//! a careful user of CFITSIO would write. Prints cutouts per second.

use std::{
    error::Error,
    ffi::{CStr, CString, c_char},
    path::Path,
    time::Instant,
};

use fitsio::{
    FitsFile,
    hdu::HduInfo,
    images::{ImageDescription, ImageType},
    sys,
};

const SIDE: usize = 256;
/// Cards that CFITSIO writes itself, that describe compression, or that the cut changes; by their beginnings.
const NOT_COPIED: [&str; 16] = [
    "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "EXTEND", "TFIELDS", "TTYPE", "TFORM", "Z",
    "EXTNAME", "CHECKSUM", "DATASUM", "CRPIX1", "CRPIX2",
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [image, positions, folder] = &arguments[..] else {
        return Err("cfitsio-cutouts IMAGE POSITIONS FOLDER".into());
    };
    let boxes = read_boxes(positions)?;

    let start = Instant::now();
    let mut file = FitsFile::open(image)?;
    let hdu = first_image(&mut file)?;
    let (cards, crpix) = header(&mut file)?;
    for (row, &[x, y]) in boxes.iter().enumerate() {
        let pixels: Vec<f32> =
            hdu.read_region(&mut file, &[&(x - 1..x - 1 + SIDE), &(y - 1..y - 1 + SIDE)])?;
        let description = ImageDescription {
            data_type: ImageType::Float,
            dimensions: &[SIDE, SIDE],
        };
        let mut cutout = FitsFile::create(Path::new(folder).join(format!("{row}.fits")))
            .with_custom_primary(&description)
            .open()?;
        for card in &cards {
            write_card(&mut cutout, card)?;
        }
        let primary = cutout.primary_hdu()?;
        primary.write_key(&mut cutout, "CRPIX1", crpix[0] - (x - 1) as f64)?;
        primary.write_key(&mut cutout, "CRPIX2", crpix[1] - (y - 1) as f64)?;
        primary.write_image(&mut cutout, &pixels)?;
    }
    println!("{:.1}", boxes.len() as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

fn read_boxes(path: &str) -> Result<Vec<[usize; 2]>, Box<dyn Error>> {
    std::fs::read_to_string(path)?
        .lines()
        .skip(1)
        .map(|line| match line.split(',').collect::<Vec<_>>()[..] {
            [_, _, x, y] => Ok([x.parse()?, y.parse()?]),
            _ => Err(format!("{line}: not RA,DEC,X,Y").into()),
        })
        .collect()
}

/// The first HDU that has pixels; it is the current one afterwards.
fn first_image(file: &mut FitsFile) -> Result<fitsio::hdu::FitsHdu, Box<dyn Error>> {
    for number in 0..file.num_hdus()? {
        let hdu = file.hdu(number)?;
        if matches!(&hdu.info, HduInfo::ImageInfo { shape, .. } if !shape.is_empty()) {
            return Ok(hdu);
        }
    }
    Err("no image".into())
}

/// The cards of the current HDU that are copied, and its reference pixel.
fn header(file: &mut FitsFile) -> Result<(Vec<CString>, [f64; 2]), Box<dyn Error>> {
    let mut status = 0;
    let (mut count, mut room) = (0, 0);
    // SAFETY: the file is open, and all pointers are to live variables.
    unsafe { sys::ffghsp(file.as_raw(), &mut count, &mut room, &mut status) };
    let mut cards = Vec::new();
    let mut crpix = [0.0; 2];
    for number in 1..=count {
        let mut buffer = [0 as c_char; 81];
        // SAFETY: CFITSIO writes at most 81 bytes, the last of them 0.
        let card = unsafe {
            sys::ffgrec(file.as_raw(), number, buffer.as_mut_ptr(), &mut status);
            CStr::from_ptr(buffer.as_ptr())
        };
        let text = card.to_str()?;
        for (axis, crpix) in crpix.iter_mut().enumerate() {
            if let Some(value) = text.strip_prefix(&format!("CRPIX{}  =", axis + 1)) {
                *crpix = value.split('/').next().unwrap_or_default().trim().parse()?;
            }
        }
        if !NOT_COPIED.iter().any(|name| text.starts_with(name)) {
            cards.push(card.to_owned());
        }
    }
    checked(status)?;
    Ok((cards, crpix))
}

fn write_card(file: &mut FitsFile, card: &CStr) -> Result<(), Box<dyn Error>> {
    let mut status = 0;
    // SAFETY: the file is open, the card ends with 0.
    unsafe { sys::ffprec(file.as_raw(), card.as_ptr(), &mut status) };
    checked(status)
}

fn checked(status: i32) -> Result<(), Box<dyn Error>> {
    if status == 0 { Ok(()) } else { Err(format!("CFITSIO status {status}").into()) }
}
