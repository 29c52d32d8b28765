//! The memory that all cutout jobs of the process may hold together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of a permit: a semaphore counts no further than `u32`.
const UNIT: u64 = 64 << 10;

/// A share-out of memory; who waits longest is served first.
#[derive(Debug, Clone)]
pub struct Memory {
    free: Arc<Semaphore>,
    units: u32,
}

/// Memory that is held until this is dropped.
#[derive(Debug)]
pub struct Held {
    permit: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// Parts off `bytes` of it, or all if it has less.
    pub fn split(&mut self, bytes: u64) -> Held {
        let units = usize::try_from(bytes.div_ceil(UNIT)).unwrap_or(usize::MAX);
        let permit = self.permit.as_mut().and_then(|permit| {
            let most = permit.num_permits();
            permit.split(units.min(most))
        });
        Held { permit }
    }
}

impl Memory {
    /// `bytes` to share out, at least one unit of 64 KiB.
    pub fn new(bytes: u64) -> Memory {
        let units = u32::try_from(bytes / UNIT)
            .unwrap_or(u32::MAX)
            .clamp(1, u32::MAX >> 3);
        Memory {
            free: Arc::new(Semaphore::new(units as usize)),
            units,
        }
    }

    /// All that can be had, in bytes.
    pub fn total(&self) -> u64 {
        u64::from(self.units) * UNIT
    }

    /// Memory if it is free now; more than there is counts as all of it.
    pub fn try_hold(&self, bytes: u64) -> Option<Held> {
        let permit = Arc::clone(&self.free)
            .try_acquire_many_owned(self.units_of(bytes))
            .ok()?;
        Some(Held { permit: Some(permit) })
    }

    /// Memory, once it is free.
    pub async fn hold(&self, bytes: u64) -> Held {
        // The semaphore is never closed.
        Held {
            permit: Arc::clone(&self.free)
                .acquire_many_owned(self.units_of(bytes))
                .await
                .ok(),
        }
    }

    fn units_of(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT))
            .unwrap_or(u32::MAX)
            .min(self.units)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn memory_is_shared_out_and_given_back() {
        let memory = Memory::new(1 << 20);
        assert_eq!(memory.total(), 1 << 20);
        let most = memory.try_hold((1 << 20) - UNIT).unwrap();
        assert!(memory.try_hold(UNIT + 1).is_none());
        let rest = memory.try_hold(1).unwrap();
        assert!(memory.hold(1).now_or_never().is_none());
        drop(rest);
        assert!(memory.hold(1).now_or_never().is_some());
        drop(most);
        assert!(memory.try_hold(u64::MAX).is_some());
        let mut both = memory.try_hold(1 << 20).unwrap();
        let part = both.split(UNIT + 1);
        drop(both);
        assert!(memory.try_hold((1 << 20) - UNIT).is_none());
        drop(part);
        assert!(memory.try_hold(1 << 20).is_some());
    }
}
