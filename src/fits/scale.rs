//! Time scales (FITS 4.0, section 9.2.1).

use fits_well::time::{Scale, ScaleKind};

const DAY: f64 = 86_400.0;
/// First days (MJD) since which TAI is ahead of UTC by so many seconds (IERS, Bulletin C).
const LEAPS: [(f64, f64); 28] = [
    (41_317.0, 10.0),
    (41_499.0, 11.0),
    (41_683.0, 12.0),
    (42_048.0, 13.0),
    (42_413.0, 14.0),
    (42_778.0, 15.0),
    (43_144.0, 16.0),
    (43_509.0, 17.0),
    (43_874.0, 18.0),
    (44_239.0, 19.0),
    (44_786.0, 20.0),
    (45_151.0, 21.0),
    (45_516.0, 22.0),
    (46_247.0, 23.0),
    (47_161.0, 24.0),
    (47_892.0, 25.0),
    (48_257.0, 26.0),
    (48_804.0, 27.0),
    (49_169.0, 28.0),
    (49_534.0, 29.0),
    (50_083.0, 30.0),
    (50_630.0, 31.0),
    (51_179.0, 32.0),
    (53_736.0, 33.0),
    (54_832.0, 34.0),
    (56_109.0, 35.0),
    (57_204.0, 36.0),
    (57_754.0, 37.0),
];

/// A time (MJD) of a scale as TIMESYS has it, as UTC; `None` of a scale that only its makers know.
pub fn utc(mjd: f64, scale: &str) -> Option<f64> {
    utc_of(mjd, &scale.parse().ok()?)
}

/// A time of a scale as UTC; none of a scale that only its makers know.
pub(super) fn utc_of(mjd: f64, scale: &Scale) -> Option<f64> {
    let Scale::Known { kind, .. } = scale else {
        return None;
    };
    // Seconds of TAI before it; TDB differs from TT by 2 ms at most, UT1 from UTC by 0.9 s.
    let before = match kind {
        ScaleKind::Utc | ScaleKind::Ut1 => return Some(mjd),
        ScaleKind::Tai => 0.0,
        ScaleKind::Gps => -19.0,
        ScaleKind::Tt | ScaleKind::Tdb => 32.184,
        ScaleKind::Tcg => 32.184 + 6.969_290_134e-10 * (mjd - 43_144.0) * DAY,
        ScaleKind::Tcb => 32.184 + 1.550_519_768e-8 * (mjd - 43_144.0) * DAY,
    };
    let tai = mjd - before / DAY;
    let ahead = LEAPS.iter().rev().find(|(day, ahead)| tai >= day + ahead / DAY);
    Some(tai - ahead.map_or(LEAPS[0].1, |(_, ahead)| *ahead) / DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_every_scale_are_utc() {
        // By astropy 8.0.2: Time(mjd, format='mjd', scale=scale).utc.mjd; GPS is 19 s behind TAI.
        for (scale, mjd, expected) in [
            ("UTC", 58_851.25, 58_851.25),
            ("", 58_851.25, f64::NAN),
            ("SHIP", 58_851.25, f64::NAN),
            ("TAI", 58_851.25, 58_851.249_571_759_26),
            ("TT", 58_851.25, 58_851.249_199_259_26),
            ("TT(TAI)", 58_851.25, 58_851.249_199_259_26),
            ("tdb", 58_851.25, 58_851.249_199_259_66),
            ("TCG", 58_851.25, 58_851.249_188_312_424),
            ("TCB", 58_851.25, 58_851.248_955_714_895),
            ("GPS", 58_851.250_208_333_33, 58_851.25),
            // 23:59:23 of a day with a leap second, in days of 86,400 s (astropy's has 86,401 then).
            ("TAI", 57_753.999_988_425_93, 57_753.999_571_759_26),
            ("TAI", 49_869.000_335_648_15, 49_869.0),
            ("TDB", 46_217.0, 46_216.999_372_859_84),
        ] {
            let found = utc(mjd, scale).unwrap_or(f64::NAN);
            // TDB is TT here, which is 2 ms off at most.
            let close = (found - expected).abs() * DAY < 3e-3;
            assert!(
                close || found.is_nan() && expected.is_nan(),
                "{scale} {mjd}: {found}"
            );
        }
    }
}
