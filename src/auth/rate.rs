//! How many requests a second are answered to one caller, or to one address while the caller is not known.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};

/// Requests that may come at once after a silence, in seconds' worth of the rate.
const BURST: u32 = 2;
/// Logins that an address may begin each second, and at once.
const LOGINS: (u32, u32) = (1, 20);
/// Requests of an address whose caller is not known, each second: several people may share one.
const UNKNOWN: u32 = 200;
/// Keys after whose number those that have been silent are forgotten.
const MANY: usize = 10_000;

/// Too many requests: try again after this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many requests")]
pub struct TooFast(pub Duration);

/// The rates of all callers.
pub struct Rates {
    /// One for each rate that any caller has; callers by name.
    callers: Mutex<HashMap<u32, Arc<DefaultKeyedRateLimiter<String>>>>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    logins: DefaultKeyedRateLimiter<IpAddr>,
    callbacks: DefaultKeyedRateLimiter<IpAddr>,
}

impl Default for Rates {
    fn default() -> Self {
        Rates {
            callers: Mutex::default(),
            addresses: RateLimiter::keyed(quota(UNKNOWN, UNKNOWN * BURST)),
            logins: RateLimiter::keyed(quota(LOGINS.0, LOGINS.1)),
            callbacks: RateLimiter::keyed(quota(LOGINS.0, LOGINS.1)),
        }
    }
}

fn quota(per_second: u32, burst: u32) -> Quota {
    let at_least_one = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst))
}

fn check<K: Clone + std::hash::Hash + Eq>(
    limiter: &DefaultKeyedRateLimiter<K>,
    key: &K,
) -> Result<(), TooFast> {
    if limiter.len() > MANY {
        limiter.retain_recent();
    }
    limiter
        .check_key(key)
        .map_err(|until| TooFast(until.wait_time_from(limiter.clock().now())))
}

/// Whom an address stands for: of IPv6 a whole /64 is one customer's.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Rates {
    /// One more request of this caller, who may send so many each second.
    pub fn caller(&self, name: &str, per_second: Option<u64>) -> Result<(), TooFast> {
        let Some(rate) = per_second else {
            return Ok(());
        };
        let rate = u32::try_from(rate).unwrap_or(u32::MAX / BURST);
        let limiter = {
            let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
            let limiter = callers
                .entry(rate)
                .or_insert_with(|| Arc::new(RateLimiter::keyed(quota(rate, rate.saturating_mul(BURST)))));
            Arc::clone(limiter)
        };
        check(&limiter, &name.to_owned())
    }

    /// One more request from this address of someone who is not known.
    pub fn address(&self, address: IpAddr) -> Result<(), TooFast> {
        check(&self.addresses, &network(address))
    }

    /// One more login ended from this address.
    pub fn callback(&self, address: IpAddr) -> Result<(), TooFast> {
        check(&self.callbacks, &network(address))
    }

    /// One more login begun from this address.
    pub fn login(&self, address: IpAddr) -> Result<(), TooFast> {
        check(&self.logins, &network(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_one_address() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }

    #[test]
    fn a_caller_has_its_own_rate() {
        let rates = Rates::default();
        for _ in 0..4 {
            rates.caller("a", Some(2)).unwrap();
        }
        let TooFast(pause) = rates.caller("a", Some(2)).unwrap_err();
        assert!(pause <= Duration::from_millis(500));
        rates.caller("b", Some(2)).unwrap();
        for _ in 0..100 {
            rates.caller("c", None).unwrap();
        }
    }
}
