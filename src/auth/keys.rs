//! The provider's public keys, kept between its answers.
//!
//! Calls nothing of this crate.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use openidconnect::core::CoreJsonWebKeySet;
use serde::Deserialize;
use serde_json::Value;
use tokio::{sync::Mutex, time::Instant};

/// Keys this old are asked for anew when next used: one that the provider has withdrawn is out after this time.
const FRESH: Duration = Duration::from_mins(10);
/// Keys of a provider that does not answer are believed for this long.
const KEPT: Duration = Duration::from_hours(24);
/// Between two requests because of a key that is not there: forged key ids must not become requests to the provider.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(30);
/// Between two requests while none succeeds.
const FAILURE_PAUSE: Duration = Duration::from_secs(5);
/// Keys of a set that are read; providers have a handful.
const MOST_KEYS: usize = 64;

/// A public key and the one algorithm that it is for.
#[derive(Debug)]
pub struct Key {
    /// From the key, never from a token.
    pub algorithm: Algorithm,
    /// What verifies.
    pub decoding: DecodingKey,
}

/// A provider's set of keys: those that sign by RS256 or ES256 and have an id.
#[derive(Debug)]
pub struct KeySet {
    keys: HashMap<String, Arc<Key>>,
    /// The same keys as the `OpenID` Connect library knows them.
    pub openid: CoreJsonWebKeySet,
}

impl KeySet {
    /// Reads a JWK Set (RFC 7517 section 5). Keys for encryption, of other algorithms, without an id or that cannot be
    /// read are left out.
    pub fn read(document: &[u8]) -> Result<KeySet, serde_json::Error> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document = serde_json::from_slice(document)?;
        let mut keys = HashMap::new();
        let mut kept = Vec::new();
        for value in document.keys.into_iter().take(MOST_KEYS) {
            let Some((id, key)) = Jwk::deserialize(&value).ok().and_then(|jwk| signing_key(&jwk)) else {
                continue;
            };
            if let std::collections::hash_map::Entry::Vacant(entry) = keys.entry(id) {
                entry.insert(Arc::new(key));
                kept.push(value);
            }
        }
        let openid = serde_json::from_value(serde_json::json!({ "keys": kept }))?;
        Ok(KeySet { keys, openid })
    }

    /// The key of that id.
    pub fn get(&self, id: &str) -> Option<&Arc<Key>> {
        self.keys.get(id)
    }
}

/// Id and key, if it signs and by an algorithm that we take.
fn signing_key(jwk: &Jwk) -> Option<(String, Key)> {
    let common = &jwk.common;
    if !matches!(common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    if common
        .key_operations
        .as_ref()
        .is_some_and(|operations| !operations.contains(&KeyOperations::Verify))
    {
        return None;
    }
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
        _ => return None,
    };
    if common
        .key_algorithm
        .is_some_and(|named| named != KeyAlgorithm::from(algorithm))
    {
        return None;
    }
    let key = Key {
        algorithm,
        decoding: DecodingKey::from_jwk(jwk).ok()?,
    };
    Some((common.key_id.clone()?, key))
}

/// Why there is no key.
#[derive(Debug, Clone)]
pub enum KeyError<E> {
    /// The provider has none of that id.
    Unknown,
    /// The provider did not give its keys and none are remembered.
    Unavailable(E),
}

/// Remembers a [`KeySet`]. Asks for it once at a time; meanwhile and while the provider is away, the keys that are
/// known still hold.
pub struct Keys<E> {
    known: RwLock<Option<Known>>,
    flight: Mutex<Flight<E>>,
}

#[derive(Clone)]
struct Known {
    set: Arc<KeySet>,
    since: Instant,
}

/// What the requests so far came to.
struct Flight<E> {
    /// Last one because of an unknown key.
    unknown: Option<Instant>,
    /// Last one, if it failed.
    failure: Option<(Instant, E)>,
}

impl<E> Default for Keys<E> {
    fn default() -> Self {
        Keys {
            known: RwLock::new(None),
            flight: Mutex::new(Flight {
                unknown: None,
                failure: None,
            }),
        }
    }
}

impl<E> fmt::Debug for Keys<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl<E: Clone> Keys<E> {
    /// The set that has key `id` at the time `now`; asks by `fetch` if it must.
    pub async fn with(
        &self,
        id: &str,
        now: Instant,
        fetch: impl AsyncFnOnce() -> Result<KeySet, E>,
    ) -> Result<Arc<KeySet>, KeyError<E>> {
        let known = self.known(now);
        let has = |known: &Known| known.set.get(id).is_some();
        if let Some(known) = known.as_ref().filter(|known| has(known)) {
            if now.duration_since(known.since) < FRESH {
                return Ok(known.set.clone());
            }
            // One asks, the others go on with what is known.
            let Ok(mut flight) = self.flight.try_lock() else {
                return Ok(known.set.clone());
            };
            return match self.ask(&mut flight, now, fetch).await {
                Ok(set) if set.get(id).is_some() => Ok(set),
                Ok(_) => Err(KeyError::Unknown),
                Err(_) => Ok(known.set.clone()),
            };
        }
        let mut flight = self.flight.lock().await;
        // Another may have asked while this one waited.
        let known = self.known(now);
        if let Some(known) = &known {
            if has(known) {
                return Ok(known.set.clone());
            }
            if flight
                .unknown
                .is_some_and(|last| now.saturating_duration_since(last) < UNKNOWN_PAUSE)
            {
                return Err(KeyError::Unknown);
            }
            flight.unknown = Some(now);
        }
        match self.ask(&mut flight, now, fetch).await {
            Ok(set) if set.get(id).is_some() => Ok(set),
            Ok(_) => Err(KeyError::Unknown),
            // Without an answer nobody knows whether the provider has such a key.
            Err(error) => Err(KeyError::Unavailable(error)),
        }
    }

    /// Asks, unless the last request has just failed; remembers what comes of it.
    async fn ask(
        &self,
        flight: &mut Flight<E>,
        now: Instant,
        fetch: impl AsyncFnOnce() -> Result<KeySet, E>,
    ) -> Result<Arc<KeySet>, E> {
        if let Some((last, error)) = &flight.failure
            && now.saturating_duration_since(*last) < FAILURE_PAUSE
        {
            return Err(error.clone());
        }
        match fetch().await {
            Ok(set) => {
                let set = Arc::new(set);
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(Known {
                    set: set.clone(),
                    since: now,
                });
                flight.failure = None;
                Ok(set)
            }
            Err(error) => {
                flight.failure = Some((now, error.clone()));
                Err(error)
            }
        }
    }

    fn known(&self, now: Instant) -> Option<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known
            .as_ref()
            .filter(|known| now.saturating_duration_since(known.since) < KEPT)
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde_json::json;

    use super::*;
    use crate::auth::forge::Signer;

    fn set(kids: &[&str]) -> KeySet {
        let keys: Vec<Value> = kids.iter().map(|kid| Signer::ec().jwk(kid)).collect();
        KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    /// A provider with these keys, or none, and how often it was asked.
    struct Provider {
        kids: Cell<Option<&'static [&'static str]>>,
        asked: Cell<usize>,
    }

    impl Provider {
        fn new(kids: &'static [&'static str]) -> Provider {
            Provider {
                kids: Cell::new(Some(kids)),
                asked: Cell::new(0),
            }
        }

        fn fetch(&self) -> Result<KeySet, &'static str> {
            self.asked.set(self.asked.get() + 1);
            self.kids.get().map(set).ok_or("away")
        }

        /// What `keys` says of `kid`.
        async fn ask(&self, keys: &Keys<&'static str>, kid: &str, now: Instant) -> &'static str {
            match keys.with(kid, now, async || self.fetch()).await {
                Ok(set) if set.get(kid).is_some() => "known",
                Ok(_) => "a set without it",
                Err(KeyError::Unknown) => "unknown",
                Err(KeyError::Unavailable(why)) => why,
            }
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn keys_that_we_would_not_verify_by_are_left_out() {
        let ec = Signer::ec();
        let change = |kid: &str, name: &str, value: Value| {
            let mut key = ec.jwk(kid);
            key[name] = value;
            key
        };
        let mut bare = ec.jwk("bare");
        bare.as_object_mut()
            .unwrap()
            .retain(|name, _| !["use", "alg"].contains(&name.as_str()));
        let mut nameless = ec.jwk("");
        nameless.as_object_mut().unwrap().remove("kid");
        let document = json!({"keys": [
            ec.jwk("good"),
            bare,
            nameless,
            change("encrypts", "use", "enc".into()),
            change("other algorithm", "alg", "ES384".into()),
            change("other curve", "crv", "P-384".into()),
            change("unknown curve", "crv", "P-0".into()),
            change("signs only", "key_ops", json!(["sign"])),
            change("not a point", "x", "!".into()),
            {"kid": "secret", "kty": "oct", "k": "AAAA", "alg": "HS256"},
            {"kid": "of the future", "kty": "PQ"},
            {"kid": "half", "kty": "RSA", "n": "AQAB"},
            "no key at all",
            null,
        ]});
        let set = KeySet::read(document.to_string().as_bytes()).unwrap();
        let mut kids: Vec<&str> = set.keys.keys().map(String::as_str).collect();
        kids.sort_unstable();
        assert_eq!(kids, ["bare", "good"]);
        assert_eq!(set.openid.keys().len(), 2);
        for text in ["", "[]", "{}", "{\"keys\": 1}", "<html>"] {
            assert!(KeySet::read(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_first_key_of_a_name_counts() {
        let document = json!({"keys": [Signer::rsa().jwk("one"), Signer::ec().jwk("one")]});
        let set = KeySet::read(document.to_string().as_bytes()).unwrap();
        assert_eq!(set.get("one").unwrap().algorithm, Algorithm::RS256);
        assert_eq!(set.openid.keys().len(), 1);
    }

    #[tokio::test]
    async fn a_flood_of_unknown_ids_is_one_request_in_30_s() {
        let (keys, provider, begin) = (Keys::default(), Provider::new(&["one"]), Instant::now());
        assert_eq!(provider.ask(&keys, "one", begin).await, "known");
        for n in 0..1000 {
            let now = begin + Duration::from_millis(29 * n);
            assert_eq!(provider.ask(&keys, &format!("forged {n}"), now).await, "unknown");
        }
        assert_eq!(provider.asked.get(), 2);
        assert_eq!(
            provider.ask(&keys, "forged", begin + seconds(31)).await,
            "unknown"
        );
        assert_eq!(provider.asked.get(), 3);
        assert_eq!(provider.ask(&keys, "one", begin + seconds(31)).await, "known");
        assert_eq!(provider.asked.get(), 3);
    }

    #[tokio::test]
    async fn a_new_key_is_found_at_once_and_the_old_one_stays_while_listed() {
        let (keys, provider, begin) = (Keys::default(), Provider::new(&["old"]), Instant::now());
        assert_eq!(provider.ask(&keys, "old", begin).await, "known");
        provider.kids.set(Some(&["old", "new"]));
        assert_eq!(provider.ask(&keys, "new", begin + seconds(1)).await, "known");
        assert_eq!(provider.ask(&keys, "old", begin + seconds(2)).await, "known");
        assert_eq!(provider.asked.get(), 2);
    }

    #[tokio::test]
    async fn a_key_that_the_provider_withdraws_is_out_in_10_minutes() {
        let (keys, provider, begin) = (Keys::default(), Provider::new(&["old", "new"]), Instant::now());
        assert_eq!(provider.ask(&keys, "old", begin).await, "known");
        provider.kids.set(Some(&["new"]));
        assert_eq!(provider.ask(&keys, "old", begin + seconds(599)).await, "known");
        assert_eq!(provider.ask(&keys, "old", begin + seconds(600)).await, "unknown");
        assert_eq!(provider.ask(&keys, "new", begin + seconds(601)).await, "known");
    }

    #[tokio::test]
    async fn known_keys_hold_for_a_day_without_the_provider() {
        let (keys, provider, begin) = (Keys::default(), Provider::new(&["one"]), Instant::now());
        assert_eq!(provider.ask(&keys, "one", begin).await, "known");
        provider.kids.set(None);
        assert_eq!(provider.ask(&keys, "one", begin + seconds(3600)).await, "known");
        assert_eq!(provider.ask(&keys, "other", begin + seconds(3600)).await, "away");
        assert_eq!(
            provider.ask(&keys, "one", begin + seconds(24 * 3600 - 1)).await,
            "known"
        );
        assert_eq!(
            provider.ask(&keys, "one", begin + seconds(24 * 3600)).await,
            "away"
        );
        provider.kids.set(Some(&["one"]));
        assert_eq!(
            provider.ask(&keys, "one", begin + seconds(24 * 3600 + 60)).await,
            "known"
        );
    }

    #[tokio::test]
    async fn a_provider_that_fails_is_left_alone_for_5_s() {
        let (keys, provider, begin) = (Keys::default(), Provider::new(&["one"]), Instant::now());
        provider.kids.set(None);
        for n in 0..1000 {
            let now = begin + Duration::from_millis(4 * n);
            assert_eq!(provider.ask(&keys, "one", now).await, "away");
        }
        assert_eq!(provider.asked.get(), 1);
        provider.kids.set(Some(&["one"]));
        assert_eq!(provider.ask(&keys, "one", begin + seconds(5)).await, "known");
    }

    #[tokio::test]
    async fn many_who_ask_at_once_are_one_request() {
        let (keys, begin) = (Keys::<&str>::default(), Instant::now());
        let asked = Cell::new(0);
        let all = (0..50).map(|_| async {
            let fetch = async || {
                asked.set(asked.get() + 1);
                // Every other one asks meanwhile.
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
                Ok(set(&["one"]))
            };
            keys.with("one", begin, fetch).await.is_ok()
        });
        assert!(
            futures::future::join_all(all)
                .await
                .into_iter()
                .all(|found| found)
        );
        assert_eq!(asked.get(), 1);
    }

    #[tokio::test]
    async fn known_keys_do_not_wait_for_a_request() {
        let (keys, begin) = (Keys::<&str>::default(), Instant::now());
        let first = keys.with("one", begin, async || Ok(set(&["one"]))).await;
        assert!(first.is_ok());
        let later = begin + FRESH;
        let never = keys.with("one", later, async || std::future::pending().await);
        let mut never = std::pin::pin!(never);
        assert!(futures::poll!(never.as_mut()).is_pending());
        let unused = async || panic!("a second request");
        assert!(keys.with("one", later, unused).await.is_ok());
    }
}
