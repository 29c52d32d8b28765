//! Images as ObsCore 1.1 describes them: the columns of SIA's answer.

use crate::{
    store::{Catalogued, Image},
    uws::votable::{Cell, Datatype, Field},
};

/// XML identifier of the column that DataLink takes IDs from.
pub const DID: &str = "obs_publisher_did";
/// Media type of the document that `access_url` leads to.
pub const DATALINK: &str = "application/x-votable+xml;content=datalink";

const fn int(name: &'static str) -> Field {
    Field::new(name, Datatype::Int)
}

/// The mandatory columns of ObsCore 1.1 (table 1), in its order, and `s_xel1` to `pol_xel` with them.
pub const FIELDS: [Field; 31] = [
    Field::text("dataproduct_type")
        .ucd("meta.code.class")
        .utype("obscore:ObsDataset.dataProductType")
        .meaning("image, or cube if there are more axes than two"),
    int("calib_level")
        .ucd("meta.code;obs.calib")
        .utype("obscore:ObsDataset.calibLevel")
        .meaning("Level of calibration, 0 to 4"),
    Field::text("obs_collection")
        .ucd("meta.id")
        .utype("obscore:DataID.collection")
        .meaning("Collection that the image is of"),
    Field::text("obs_id")
        .ucd("meta.id")
        .utype("obscore:DataID.observationID")
        .meaning("Observation, or tag of a coadd; else the path of the image"),
    Field::text("obs_publisher_did")
        .id(DID)
        .ucd("meta.ref.uri;meta.curation")
        .utype("obscore:Curation.publisherDID")
        .meaning("Identifier of the image, for DataLink and SODA"),
    Field::text("access_url")
        .ucd("meta.ref.url")
        .utype("obscore:Access.reference")
        .meaning("What can be had of the image (DataLink)"),
    Field::text("access_format")
        .ucd("meta.code.mime")
        .utype("obscore:Access.format")
        .meaning("Media type of access_url"),
    Field::long("access_estsize")
        .unit("kbyte")
        .ucd("phys.size;meta.file")
        .utype("obscore:Access.size")
        .meaning("Size of the whole image"),
    Field::text("target_name")
        .ucd("meta.id;src")
        .utype("obscore:Target.name")
        .meaning("Object or field that was looked at"),
    Field::double("s_ra")
        .unit("deg")
        .ucd("pos.eq.ra")
        .utype("obscore:Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2.C1")
        .meaning("ICRS right ascension of the middle"),
    Field::double("s_dec")
        .unit("deg")
        .ucd("pos.eq.dec")
        .utype("obscore:Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2.C2")
        .meaning("ICRS declination of the middle"),
    Field::double("s_fov")
        .unit("deg")
        .ucd("phys.angSize;instr.fov")
        .utype("obscore:Char.SpatialAxis.Coverage.Bounds.Extent.diameter")
        .meaning("Diameter of a circle around the image"),
    Field::text("s_region")
        .ucd("pos.outline;obs.field")
        .utype("obscore:Char.SpatialAxis.Coverage.Support.Area")
        .xtype("adql:REGION")
        .meaning("Outline"),
    Field::long("s_xel1")
        .ucd("meta.number")
        .utype("obscore:Char.SpatialAxis.numBins1")
        .meaning("Pixels along the first axis"),
    Field::long("s_xel2")
        .ucd("meta.number")
        .utype("obscore:Char.SpatialAxis.numBins2")
        .meaning("Pixels along the second axis"),
    Field::double("s_resolution")
        .unit("arcsec")
        .ucd("pos.angResolution")
        .utype("obscore:Char.SpatialAxis.Resolution.refval.value")
        .meaning("Resolution on the sky"),
    Field::double("t_min")
        .unit("d")
        .ucd("time.start;obs.exposure")
        .utype("obscore:Char.TimeAxis.Coverage.Bounds.Limits.StartTime")
        .meaning("Begin of the observation, MJD (UTC)"),
    Field::double("t_max")
        .unit("d")
        .ucd("time.end;obs.exposure")
        .utype("obscore:Char.TimeAxis.Coverage.Bounds.Limits.StopTime")
        .meaning("End of the observation, MJD (UTC)"),
    Field::double("t_exptime")
        .unit("s")
        .ucd("time.duration;obs.exposure")
        .utype("obscore:Char.TimeAxis.Coverage.Support.Extent")
        .meaning("Exposure"),
    Field::double("t_resolution")
        .unit("s")
        .ucd("time.resolution")
        .utype("obscore:Char.TimeAxis.Resolution.Refval.value")
        .meaning("Resolution in time"),
    Field::long("t_xel")
        .ucd("meta.number")
        .utype("obscore:Char.TimeAxis.numBins")
        .meaning("Steps in time"),
    Field::double("em_min")
        .unit("m")
        .ucd("em.wl;stat.min")
        .utype("obscore:Char.SpectralAxis.Coverage.Bounds.Limits.LoLimit")
        .meaning("Shortest wavelength"),
    Field::double("em_max")
        .unit("m")
        .ucd("em.wl;stat.max")
        .utype("obscore:Char.SpectralAxis.Coverage.Bounds.Limits.HiLimit")
        .meaning("Longest wavelength"),
    Field::double("em_res_power")
        .ucd("spect.resolution")
        .utype("obscore:Char.SpectralAxis.Resolution.ResolPower.refVal")
        .meaning("Spectral resolving power"),
    Field::long("em_xel")
        .ucd("meta.number")
        .utype("obscore:Char.SpectralAxis.numBins")
        .meaning("Steps in wavelength"),
    Field::text("o_ucd")
        .ucd("meta.ucd")
        .utype("obscore:Char.ObservableAxis.ucd")
        .meaning("What the pixels are"),
    Field::text("pol_states")
        .ucd("meta.code;phys.polarization")
        .utype("obscore:Char.PolarizationAxis.stateList")
        .meaning("Polarization states, between slashes"),
    Field::long("pol_xel")
        .ucd("meta.number")
        .utype("obscore:Char.PolarizationAxis.numBins")
        .meaning("Number of polarization states"),
    Field::text("facility_name")
        .ucd("meta.id;instr.tel")
        .utype("obscore:Provenance.ObsConfig.Facility.name")
        .meaning("Telescope"),
    Field::text("instrument_name")
        .ucd("meta.id;instr")
        .utype("obscore:Provenance.ObsConfig.Instrument.name")
        .meaning("Instrument"),
    Field::text("obs_title")
        .ucd("meta.title;obs")
        .utype("obscore:DataID.title")
        .meaning("Path of the image in its collection"),
];

/// `image`, or `cube` if any of its HDUs has an axis besides two that is longer than 1.
pub fn data_type(image: &Image) -> &'static str {
    let is_cube = |shape: &[u64]| shape.iter().filter(|pixels| **pixels > 1).count() > 2;
    if image.hdus.iter().any(|hdu| is_cube(&hdu.shape)) {
        "cube"
    } else {
        "image"
    }
}

/// Diameter of the circle around it, deg.
pub fn field_of_view(image: &Image) -> Option<f64> {
    image.cap.map(|cap| (2.0 * cap.radius).min(360.0))
}

/// Level of calibration, where headers say nothing: they have coordinates, so it is one.
pub fn calib_level(image: &Image) -> u8 {
    image
        .calib_level
        .unwrap_or(if image.cap.is_some() { 2 } else { 1 })
}

/// Its polarization states.
pub fn states(image: &Image) -> Vec<&str> {
    let states = image.pol_states.as_deref().unwrap_or_default();
    states.split('/').filter(|state| !state.is_empty()).collect()
}

/// The row of an image: `did` is its identifier, `links` the URL of its DataLink document.
pub fn row<'a>(found: &'a Catalogued, collection: &'a str, did: String, links: String) -> Vec<Cell<'a>> {
    let image = &found.image;
    let of_sky = image.hdus.iter().find(|hdu| hdu.cap.is_some());
    let shape = of_sky.or(image.hdus.first()).map_or(&[][..], |hdu| &hdu.shape);
    let states = states(image).len() as u64;
    vec![
        data_type(image).into(),
        i64::from(calib_level(image)).into(),
        collection.into(),
        image.obs.as_deref().unwrap_or(&image.path).into(),
        did.into(),
        links.into(),
        DATALINK.into(),
        image.size.div_ceil(1_000).into(),
        image.target.as_deref().or(image.field.as_deref()).into(),
        image.cap.map(|cap| cap.centre.ra).into(),
        image.cap.map(|cap| cap.centre.dec).into(),
        field_of_view(image).into(),
        image.s_region.as_deref().into(),
        shape.first().copied().into(),
        shape.get(1).copied().into(),
        Cell::Null,
        image.t_min.into(),
        image.t_max.into(),
        image.exposure.into(),
        Cell::Null,
        Cell::Null,
        image.em_min.into(),
        image.em_max.into(),
        Cell::Null,
        Cell::Null,
        Cell::Null,
        image.pol_states.as_deref().into(),
        (states > 0).then_some(states).into(),
        image.facility.as_deref().into(),
        image.instrument.as_deref().into(),
        image.path.as_str().into(),
    ]
}
