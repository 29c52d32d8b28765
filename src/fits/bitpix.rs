//! Number types of pixels (FITS 4.0, section 4.4.1.1).

/// A number type of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bitpix {
    /// 8, unsigned.
    U8,
    /// 16.
    I16,
    /// 32.
    I32,
    /// 64.
    I64,
    /// −32.
    F32,
    /// −64.
    F64,
}

impl Bitpix {
    /// The value of the BITPIX keyword.
    pub fn code(self) -> i64 {
        match self {
            Self::U8 => 8,
            Self::I16 => 16,
            Self::I32 => 32,
            Self::I64 => 64,
            Self::F32 => -32,
            Self::F64 => -64,
        }
    }

    /// Bytes of a pixel.
    pub fn bytes(self) -> u64 {
        self.code().unsigned_abs() / 8
    }

    pub(super) fn from_code(code: i64) -> Option<Self> {
        [Self::U8, Self::I16, Self::I32, Self::I64, Self::F32, Self::F64]
            .into_iter()
            .find(|b| b.code() == code)
    }
}
