//! How many requests a second are answered to one caller, or to one address while the caller is not known.
//!
//! To know a caller costs a look-up. So what a refusal has told is remembered for as long as it holds: a flood is refused
//! before anybody is looked up, by the address for what has not been good lately, by the credential for what has.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};

use super::{Credential, hash};

/// Requests that may come at once after a silence, in seconds' worth of the rate.
const BURST: u32 = 2;
/// Logins that an address may begin each second, and at once.
const LOGINS: (u32, u32) = (1, 20);
/// Requests of an address whose caller is not known, each second: several people may share one.
const UNKNOWN: u32 = 200;
/// Keys after whose number those that have been silent are forgotten.
const MANY: usize = 10_000;

/// For how long a credential that was good is not held to the rate of its address.
const LATELY: Duration = Duration::from_mins(1);

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
    remembered: Mutex<Remembered>,
}

/// What was found out about who has come before.
#[derive(Default)]
struct Remembered {
    /// Until when each address has no request left.
    addresses: HashMap<IpAddr, Instant>,
    /// Hashes of credentials that were good.
    credentials: HashMap<[u8; 32], Good>,
}

/// When a credential was good, and until when its caller has no request left.
#[derive(Clone, Copy)]
struct Good {
    at: Instant,
    until: Option<Instant>,
}

impl Remembered {
    /// Whether a request is to be refused before it is looked at.
    fn check(&self, address: IpAddr, credential: [u8; 32], now: Instant) -> Result<(), TooFast> {
        let good = self.credentials.get(&credential);
        let until = match good.filter(|good| now.saturating_duration_since(good.at) < LATELY) {
            Some(good) => good.until,
            None => self.addresses.get(&address).copied(),
        };
        match until.map(|until| until.saturating_duration_since(now)) {
            Some(pause) if !pause.is_zero() => Err(TooFast(pause)),
            _ => Ok(()),
        }
    }

    fn good(&mut self, credential: [u8; 32], pause: Option<Duration>, now: Instant) {
        if self.credentials.len() >= MANY {
            self.credentials
                .retain(|_, good| now.saturating_duration_since(good.at) < LATELY);
        }
        // A credential that is one of very many is held to the rate of its address.
        if self.credentials.len() < MANY || self.credentials.contains_key(&credential) {
            let until = pause.map(|pause| now + pause);
            self.credentials.insert(credential, Good { at: now, until });
        }
    }

    fn exhausted(&mut self, address: IpAddr, pause: Duration, now: Instant) {
        if self.addresses.len() >= MANY {
            self.addresses.retain(|_, until| *until > now);
        }
        if self.addresses.len() < MANY || self.addresses.contains_key(&address) {
            self.addresses.insert(address, now + pause);
        }
    }
}

impl Default for Rates {
    fn default() -> Self {
        Rates {
            callers: Mutex::default(),
            addresses: RateLimiter::keyed(quota(UNKNOWN, UNKNOWN * BURST)),
            logins: RateLimiter::keyed(quota(LOGINS.0, LOGINS.1)),
            callbacks: RateLimiter::keyed(quota(LOGINS.0, LOGINS.1)),
            remembered: Mutex::default(),
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
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// What a credential is known by; nothing to look up for who shows none.
fn shown(credential: Credential<'_>) -> Option<[u8; 32]> {
    match credential {
        Credential::None => None,
        Credential::Bearer(secret) | Credential::Session(secret) => Some(hash(secret)),
    }
}

impl Rates {
    /// Whether a request from this address that shows this is worth a look-up: not while one like it was refused for its
    /// haste. Takes nothing from the rates.
    pub fn before(&self, address: IpAddr, credential: Credential<'_>) -> Result<(), TooFast> {
        match shown(credential) {
            Some(credential) => self
                .remembered()
                .check(network(address), credential, Instant::now()),
            None => Ok(()),
        }
    }

    /// One more request of this caller, who has shown this and may send so many each second.
    pub fn known(
        &self,
        credential: Credential<'_>,
        name: &str,
        per_second: Option<u64>,
    ) -> Result<(), TooFast> {
        let outcome = self.caller(name, per_second);
        if let Some(credential) = shown(credential) {
            let pause = outcome.err().map(|TooFast(pause)| pause);
            self.remembered().good(credential, pause, Instant::now());
        }
        outcome
    }

    /// One more request from this address that has shown this, which is not good.
    pub fn unknown(&self, address: IpAddr, credential: Credential<'_>) -> Result<(), TooFast> {
        if let Some(credential) = shown(credential) {
            self.remembered().credentials.remove(&credential);
        }
        self.address(address)
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn caller(&self, name: &str, per_second: Option<u64>) -> Result<(), TooFast> {
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

    /// One more request from this address, whoever sends it.
    pub fn address(&self, address: IpAddr) -> Result<(), TooFast> {
        let address = network(address);
        check(&self.addresses, &address).inspect_err(|TooFast(pause)| {
            self.remembered().exhausted(address, *pause, Instant::now());
        })
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
    fn a_flood_is_refused_before_anyone_is_looked_up() {
        let (here, there) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let (good, new) = ([1; 32], [2; 32]);
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let mut remembered = Remembered::default();
        remembered.good(good, None, now);
        remembered.exhausted(here, Duration::from_secs(5), now);
        assert_eq!(
            remembered.check(here, new, after(2)),
            Err(TooFast(Duration::from_secs(3)))
        );
        assert_eq!(remembered.check(there, new, after(2)), Ok(()));
        assert_eq!(remembered.check(here, new, after(5)), Ok(()));
        // Whom the address does not hold back: who was known lately, until that is long ago, or until too many came.
        assert_eq!(remembered.check(here, good, after(2)), Ok(()));
        remembered.good(good, Some(Duration::from_secs(4)), now);
        assert_eq!(
            remembered.check(there, good, after(1)),
            Err(TooFast(Duration::from_secs(3)))
        );
        assert_eq!(remembered.check(there, good, after(4)), Ok(()));
        remembered.exhausted(here, Duration::from_secs(99), now);
        assert_eq!(remembered.check(here, good, after(59)), Ok(()));
        assert_eq!(
            remembered.check(here, good, after(60)),
            Err(TooFast(Duration::from_secs(39)))
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut remembered = Remembered::default();
        let now = Instant::now();
        for n in 0..2 * MANY as u64 {
            remembered.good(hash(&n.to_string()), None, now);
            remembered.exhausted(IpAddr::V4((n as u32).into()), Duration::from_secs(1), now);
        }
        assert_eq!(
            (remembered.credentials.len(), remembered.addresses.len()),
            (MANY, MANY)
        );
        let later = now + LATELY;
        remembered.good([0; 32], None, later);
        remembered.exhausted("::1".parse().unwrap(), Duration::from_secs(1), later);
        assert_eq!((remembered.credentials.len(), remembered.addresses.len()), (1, 1));
    }

    #[test]
    fn a_refusal_is_remembered() {
        let rates = Rates::default();
        let address = "10.0.0.1".parse().unwrap();
        let session = Credential::Session("x");
        while rates.known(session, "a", Some(1)).is_ok() {}
        assert!(rates.before(address, session).is_err());
        // The rate of the others of that address is not touched, nor that of who shows nothing.
        assert_eq!(rates.before(address, Credential::Bearer("y")), Ok(()));
        assert_eq!(rates.before(address, Credential::None), Ok(()));
        while rates.unknown(address, session).is_ok() {}
        let remembered = rates.remembered();
        assert!(remembered.addresses.contains_key(&address));
        assert!(remembered.credentials.is_empty());
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
