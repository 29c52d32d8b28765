//! A region while it is being cut: its pixels, which several threads fill.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::cut::{Cut, Layout};
use super::error::FitsError;
use super::hdu::Hdu;
use super::header::BLOCK;
use super::lines::Block;

/// A region that is being cut.
#[derive(Debug)]
pub(super) struct Piece {
    /// What it is a part of.
    pub(super) id: usize,
    pub(super) hdu: usize,
    pub(super) layout: Layout,
    /// From the image to the region.
    pub(super) block: Block,
    data: Mutex<Vec<u8>>,
    /// The BLANK that its padding needs.
    declare: OnceLock<i64>,
    /// Shared by all pieces of one result.
    failed: Arc<AtomicBool>,
}

/// A piece that a tile has spoilt.
pub(super) type Faulty = (Arc<Piece>, Arc<FitsError>);

impl Piece {
    pub(super) fn new(id: usize, hdu: usize, layout: Layout, block: Block, failed: Arc<AtomicBool>) -> Self {
        // With room for what fills the last block of a file.
        let bytes = layout.read_bytes as usize;
        let mut data = vec![0; bytes.next_multiple_of(BLOCK)];
        data.truncate(bytes);
        let data = Mutex::new(data);
        Self {
            id,
            hdu,
            layout,
            block,
            data,
            declare: OnceLock::new(),
            failed,
        }
    }

    /// Its pixels, big-endian.
    pub(super) fn data(&self) -> MutexGuard<'_, Vec<u8>> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pads it, if it is to be; all its pixels are there.
    pub(super) fn pad(&self, hdu: &Hdu) -> Result<(), FitsError> {
        if !self.layout.is_padded() {
            return Ok(());
        }
        let mut data = self.data();
        let (padded, declare) = self.layout.pad(hdu, &data)?;
        *data = padded;
        if let Some(value) = declare {
            // It is padded once.
            let _ = self.declare.set(value);
        }
        Ok(())
    }

    /// The cut; its pixels are taken away.
    pub(super) fn finish(&self, hdu: &Hdu) -> Cut {
        let data = std::mem::take(&mut *self.data());
        self.layout.clone().finish(hdu, data, self.declare.get().copied())
    }

    /// Whether the result that it belongs to is given up.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn give_up(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }
}
