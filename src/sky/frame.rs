//! Celestial reference frames of images, and the way from ICRS to them and back.
//!
//! The FK5 frame bias is applied (it is some 20 mas), precession is IAU 2006 for FK5 and Newcomb's for FK4,
//! FK4 has the E-terms of aberration, and the rotation from B1950 to J2000 is Murray's (1989, A&A 218, 325)
//! with the drift of FK4 taken at the equinox. Neither proper motion nor parallax is applied.

use super::position::{Position, angles, unit};

type Vector = [f64; 3];
type Matrix = [[f64; 3]; 3];

/// A celestial system as a FITS header can declare it (FITS 4.0, section 8.3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum System {
    /// International Celestial Reference System.
    Icrs,
    /// Mean equator and equinox of a Julian year.
    Fk5 {
        /// Julian year.
        equinox: f64,
    },
    /// The old system, with the E-terms of aberration.
    Fk4 {
        /// Besselian year.
        equinox: f64,
    },
    /// The old system without the E-terms of aberration.
    Fk4NoE {
        /// Besselian year.
        equinox: f64,
    },
    /// Galactic (1958).
    Galactic,
    /// Mean ecliptic and equinox of a Julian year.
    Ecliptic {
        /// Julian year.
        equinox: f64,
    },
}

/// A system with its rotation worked out, so that a position costs a product.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    system: System,
    /// From ICRS to this system.
    rotation: Matrix,
    /// The E-terms that positions of this system contain.
    e_terms: Option<Vector>,
}

impl Frame {
    /// The frame of `system`. An equinox is any finite year; far ones are as good as the polynomials.
    pub fn new(system: System) -> Self {
        let (rotation, e_terms) = match system {
            System::Icrs => (IDENTITY, None),
            System::Fk5 { equinox } => (fk5(equinox), None),
            System::Fk4 { equinox } => (fk4(equinox), Some(e_terms(equinox))),
            System::Fk4NoE { equinox } => (fk4(equinox), None),
            System::Galactic => (product(galactic(), fk5(2000.0)), None),
            System::Ecliptic { equinox } => (product(about_x(obliquity(equinox)), fk5(equinox)), None),
        };
        Self {
            system,
            rotation,
            e_terms,
        }
    }

    /// The system that it is of.
    pub fn system(&self) -> System {
        self.system
    }

    /// Longitude (0 to 360) and latitude, deg, of an ICRS position in this frame.
    pub fn from_icrs(&self, position: Position) -> (f64, f64) {
        if self.system == System::Icrs {
            return (position.ra, position.dec);
        }
        let mean = normalised(apply(&self.rotation, position.unit()));
        angles(self.e_terms.map_or(mean, |e| with_e_terms(mean, e)))
    }

    /// The ICRS position of a longitude and latitude (deg) of this frame.
    pub fn to_icrs(&self, lon: f64, lat: f64) -> Position {
        if self.system == System::Icrs {
            return Position {
                ra: lon.rem_euclid(360.0),
                dec: lat,
            };
        }
        let v = unit(lon, lat);
        let mean = self.e_terms.map_or(v, |e| without_e_terms(v, e));
        Position::from_vector(apply(&transposed(&self.rotation), mean))
    }
}

const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// FK4 without E-terms, B1950, to FK5, J2000, at epoch 1950 (Murray 1989).
const B1950_TO_J2000: Matrix = [
    [
        0.999_925_679_495_687_7,
        -0.011_181_483_220_466_2,
        -0.004_859_003_815_359_2,
    ],
    [
        0.011_181_483_239_171_7,
        0.999_937_484_893_313_5,
        -0.000_027_162_594_714_2,
    ],
    [
        0.004_859_003_772_314_3,
        -0.000_027_170_293_744_0,
        0.999_988_194_602_374_2,
    ],
];

/// The change of that rotation in a century: FK4 turns against FK5 (Murray 1989).
const FK4_DRIFT: Matrix = [
    [-0.002_645_526_2e-6, -1.153_991_868_9e-6, 2.111_134_619_0e-6],
    [1.154_062_816_1e-6, -0.012_904_299_7e-6, 0.023_602_147_8e-6],
    [-2.111_297_904_8e-6, -0.005_602_444_8e-6, 0.010_258_773_4e-6],
];

/// ICRS to the mean equator and equinox of a Julian year.
fn fk5(equinox: f64) -> Matrix {
    // Frame bias of FK5 at J2000, mas: Hilton & Hohenkerk 2004.
    let mas = |value: f64| value / 3_600_000.0;
    let bias = product(
        about_x(-mas(-19.9)),
        product(about_y(mas(9.1)), about_z(mas(-22.9))),
    );
    let t = (equinox - 2000.0) / 100.0;
    if t == 0.0 {
        return bias;
    }
    // Capitaine et al. 2003, arcsec.
    let zeta = 2.650_545 + t * (2_306.083_227 + t * (0.298_849_9 + t * 0.018_018_28));
    let z = -2.650_545 + t * (2_306.077_181 + t * (1.092_734_8 + t * 0.018_268_37));
    let theta = t * (2_004.191_903 + t * (-0.429_493_4 - t * 0.041_822_64));
    product(precession(zeta / 3600.0, z / 3600.0, theta / 3600.0), bias)
}

/// ICRS to FK4 without E-terms of a Besselian year.
fn fk4(equinox: f64) -> Matrix {
    let t = (equinox - 1950.0) / 100.0;
    let mut to_j2000 = B1950_TO_J2000;
    for (row, drift) in to_j2000.iter_mut().zip(FK4_DRIFT) {
        for (value, drift) in row.iter_mut().zip(drift) {
            *value += drift * t;
        }
    }
    let b1950 = product(transposed(&to_j2000), fk5(2000.0));
    // Newcomb's precession from B1950, tropical millennia from 1850 (Explanatory Supplement 1992), arcsec.
    let t1 = 0.1;
    let dt = (equinox - 1950.0) / 1000.0;
    let first = 23_035.545 + t1 * (139.720 + 0.060 * t1);
    let zeta = dt * (first + dt * (30.240 - 0.27 * t1 + dt * 17.995));
    let z = dt * (first + dt * (109.480 + 0.39 * t1 + dt * 18.325));
    let theta = dt * (20_051.12 - t1 * (85.29 + 0.37 * t1) + dt * (-42.65 - 0.37 * t1 - dt * 41.8));
    product(precession(zeta / 3600.0, z / 3600.0, theta / 3600.0), b1950)
}

fn galactic() -> Matrix {
    const POLE: (f64, f64) = (192.859_481_206_534_8, 27.128_251_180_856_22);
    const NODE: f64 = 122.931_918_568_002_6;
    product(
        about_z(180.0 - NODE),
        product(about_y(90.0 - POLE.1), about_z(POLE.0)),
    )
}

/// Mean obliquity of a Julian year, deg (IAU 2006).
fn obliquity(equinox: f64) -> f64 {
    let t = (equinox - 2000.0) / 100.0;
    (84_381.406 + t * (-46.836_769 + t * (-0.000_183_1 + t * 0.002_003_4))) / 3600.0
}

/// E-terms of aberration of a Besselian year (Explanatory Supplement 1992).
fn e_terms(equinox: f64) -> Vector {
    let days = (equinox - 1950.0) * 365.242_198_781;
    let t = days / 36_525.0;
    let constant = 0.005_693_2_f64.to_radians();
    let eccentricity = 0.016_730_11 + t * (-0.000_041_93 - t * 0.000_000_126);
    let perigee = (1_015_489.951 + t * (6_190.67 + t * (1.65 + t * 0.012))) / 3600.0;
    // Days between B1950.0 (JD 2433282.4235) and J2000.0.
    let t2000 = (days - 18_262.576_5) / 36_525.0;
    let obliquity = (84_381.448 + t2000 * (-46.815 + t2000 * (-0.000_59 + t2000 * 0.001_813))) / 3600.0;
    let (sin_g, cos_g) = perigee.to_radians().sin_cos();
    let (sin_o, cos_o) = obliquity.to_radians().sin_cos();
    let ek = eccentricity * constant;
    [ek * sin_g, -ek * cos_g * cos_o, -ek * cos_g * sin_o]
}

fn without_e_terms(v: Vector, e: Vector) -> Vector {
    let along = dot(v, e);
    normalised(std::array::from_fn(|i| v[i] - e[i] + along * v[i]))
}

/// The inverse of [`without_e_terms`], which is 1e-4 from the identity: each turn gains four digits.
fn with_e_terms(mean: Vector, e: Vector) -> Vector {
    let mut v = mean;
    for _ in 0..6 {
        let scale = 1.0 + dot(v, e);
        v = std::array::from_fn(|i| (mean[i] + e[i]) / scale);
        v = normalised(v);
    }
    v
}

fn precession(zeta: f64, z: f64, theta: f64) -> Matrix {
    product(about_z(-z), product(about_y(theta), about_z(-zeta)))
}

/// Rotations of the axes (not of the vector) by an angle in degrees.
fn about_x(angle: f64) -> Matrix {
    let (s, c) = angle.to_radians().sin_cos();
    [[1.0, 0.0, 0.0], [0.0, c, s], [0.0, -s, c]]
}

fn about_y(angle: f64) -> Matrix {
    let (s, c) = angle.to_radians().sin_cos();
    [[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]]
}

fn about_z(angle: f64) -> Matrix {
    let (s, c) = angle.to_radians().sin_cos();
    [[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]
}

fn product(a: Matrix, b: Matrix) -> Matrix {
    let b = transposed(&b);
    a.map(|row| b.map(|column| dot(row, column)))
}

fn transposed(m: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| m[j][i]))
}

fn apply(m: &Matrix, v: Vector) -> Vector {
    m.map(|row| dot(row, v))
}

fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn normalised(v: Vector) -> Vector {
    let length = dot(v, v).sqrt();
    v.map(|x| x / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where astropy 8.0.2 (`SkyCoord.transform_to`) puts three ICRS positions.
    #[test]
    fn frames_agree_with_astropy() {
        let icrs = [(250.4226, 36.4602), (359.9, -57.5), (83.6, -89.9)];
        for (system, expected) in [
            (
                System::Fk5 { equinox: 2000.0 },
                [
                    (250.422_603_2, 36.460_204_4),
                    (359.899_997_7, -57.499_997_5),
                    (83.598_213_9, -89.900_005_2),
                ],
            ),
            (
                System::Fk5 { equinox: 1975.0 },
                [
                    (250.199_252_6, 36.507_097_1),
                    (359.578_739_1, -57.639_183_3),
                    (141.972_526_3, -89.838_162_5),
                ],
            ),
            (
                System::Fk4 { equinox: 1950.0 },
                [
                    (249.975_715_2, 36.554_479_1),
                    (359.256_056_9, -57.778_478_6),
                    (159.266_569_7, -89.715_329_6),
                ],
            ),
            (
                System::Fk4 { equinox: 1900.0 },
                [
                    (249.529_621_1, 36.650_846_2),
                    (358.607_641_5, -58.056_888_2),
                    (169.035_554_0, -89.446_347_9),
                ],
            ),
            (
                System::Fk4NoE { equinox: 1950.0 },
                [
                    (249.975_816_3, 36.554_514_7),
                    (359.256_093_5, -57.778_395_8),
                    (159.256_487_8, -89.715_410_2),
                ],
            ),
            (
                System::Galactic,
                [
                    (59.007_899_9, 40.912_337_9),
                    (316.178_894_5, -58.275_143_5),
                    (302.825_821_3, -27.161_197_2),
                ],
            ),
            (
                System::Ecliptic { equinox: 2000.0 },
                [
                    (239.573_724_2, 57.849_393_5),
                    (327.953_963_8, -50.662_329_8),
                    (270.028_123_9, -66.660_092_9),
                ],
            ),
        ] {
            let frame = Frame::new(system);
            for ((ra, dec), (lon, lat)) in icrs.into_iter().zip(expected) {
                let position = Position { ra, dec };
                let got = frame.from_icrs(position);
                let off = Position {
                    ra: got.0,
                    dec: got.1,
                }
                .separation(Position { ra: lon, dec: lat })
                    * 3600.0;
                assert!(off < 0.05, "{system:?} {ra} {dec}: {off} arcsec away");
                let back = frame.to_icrs(got.0, got.1).separation(position) * 3600.0;
                assert!(
                    back < 1e-6,
                    "{system:?} {ra} {dec}: {back} arcsec after the way back"
                );
            }
        }
    }
}
