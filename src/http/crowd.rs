//! How many requests of a long kind (waits, event streams) are open at once, in all and for each caller.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::problem::Problem;

/// The open ones of a kind.
pub struct Crowd {
    what: &'static str,
    each: usize,
    all: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    all: usize,
    each: HashMap<String, usize>,
}

/// One that is open; dropping it ends it.
pub struct Ticket {
    crowd: Arc<Crowd>,
    name: String,
}

impl Crowd {
    /// At most `each` for a caller and `all` together; `what` they are, for people.
    pub fn new(what: &'static str, each: usize, all: usize) -> Arc<Self> {
        Arc::new(Crowd {
            what,
            each,
            all,
            open: Mutex::default(),
        })
    }

    /// One more of the caller named so, or 429 or 503.
    pub fn enter(self: &Arc<Self>, name: &str) -> Result<Ticket, Problem> {
        const PAUSE: Duration = Duration::from_secs(5);
        let mut open = self.open();
        if open.all >= self.all {
            return Err(Problem::busy(format!("too many {} at once", self.what), PAUSE));
        }
        match open.each.get_mut(name) {
            Some(own) if *own >= self.each => {
                return Err(Problem::too_many(
                    format!("you have {own} {} open, the most that there may be", self.what),
                    PAUSE,
                ));
            }
            Some(own) => *own += 1,
            None => {
                open.each.insert(name.to_owned(), 1);
            }
        }
        open.all += 1;
        Ok(Ticket {
            crowd: Arc::clone(self),
            name: name.to_owned(),
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut open = self.crowd.open();
        open.all -= 1;
        if let Some(own) = open.each.get_mut(&self.name) {
            *own -= 1;
            if *own == 0 {
                open.each.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_and_all_callers_are_bounded() {
        let crowd = Crowd::new("waits", 2, 3);
        let first = crowd.enter("a").ok().unwrap();
        let _second = crowd.enter("a").ok().unwrap();
        assert_eq!(crowd.enter("a").err().unwrap().status().as_u16(), 429);
        let _third = crowd.enter("b").ok().unwrap();
        assert_eq!(crowd.enter("b").err().unwrap().status().as_u16(), 503);
        drop(first);
        assert!(crowd.enter("a").is_ok());
        assert_eq!(crowd.open().each.len(), 2);
    }
}
