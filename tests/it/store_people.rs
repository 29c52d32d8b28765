//! What the store promises of people, sessions, tokens, share links and the audit record, in both dialects.

use std::collections::HashSet;

use futures::future::{join_all, try_join_all};
use sidereal::{
    store::{
        ApiToken, AuditEntry, AuditFilter, Ending, Finish, Full, Login, NewAudit, NewJob, NewSession,
        NewToken, Person, Quota, Report, Room, Run, Session, Store, StoredResult, Usage, WorkerId,
        jobs::{Created, Edit, FIRST_VERSION},
    },
    uws::{JobId, ParameterValue, Parameters, Phase, Timestamp},
};
use uuid::Uuid;

use crate::{
    harness::{self, Backend, on_both_back_ends},
    store::{Home, STEP, create, new_job, queue},
};

on_both_back_ends!(
    a_person_keeps_the_name_of_first_sight,
    of_people_who_come_at_once_each_gets_a_name,
    a_person_is_written_only_when_there_is_news,
    people_are_listed_by_name,
    limits_are_kept_as_set,
    a_login_is_taken_once_and_in_time,
    a_session_lives_while_it_is_used,
    a_disabled_person_has_no_session_and_no_token,
    one_of_many_refreshes_a_session,
    sessions_end_by_subject_and_by_the_providers_name,
    a_logout_token_is_new_once,
    a_token_is_found_by_its_hash_until_it_ends,
    tokens_are_revoked_by_their_owner_alone,
    tokens_made_at_once_are_no_more_than_there_may_be,
    a_job_is_shared_until_the_link_ends,
    links_go_with_their_job,
    the_audit_record_is_read_backwards,
    the_audit_record_is_searched,
    a_transaction_is_all_or_nothing,
    what_has_expired_is_forgotten,
    an_owners_use_is_counted,
    a_claim_keeps_to_the_owners_limits,
    claims_at_once_keep_to_the_limit_together,
    runs_at_once_keep_to_the_limit_together,
    jobs_made_at_once_keep_to_their_room_together,
    bytes_of_files_count_from_before_they_were_counted,
);

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Changes rows behind the store's back: the tests cannot wait until they are old.
async fn rewrite(home: &Home, sql: &str) {
    harness::rewrite(home.url(), sql).await;
}

/// A hash that stands for the secret `n`.
pub(crate) fn hash(n: u8) -> [u8; 32] {
    std::array::from_fn(|at| n.wrapping_mul(31).wrapping_add(at as u8))
}

/// By this host's clock, which is the databases' too.
pub(crate) fn from_now(millis: i64) -> Timestamp {
    Timestamp::from_millis(Timestamp::of_this_host().millis() + millis).unwrap()
}

pub(crate) async fn seen(store: &Store, subject: &str) -> Person {
    store.person_seen(subject, subject, "user").await.unwrap()
}

pub(crate) fn new_session(n: u8, subject: &str, sid: Option<&str>) -> NewSession {
    NewSession {
        id_hash: hash(n),
        subject: subject.into(),
        sid: sid.map(Into::into),
        role: "user".into(),
        sealed: vec![0, 255, n],
        idle_ms: HOUR,
        lifetime_ms: DAY,
        fresh_ms: MINUTE,
    }
}

async fn session(store: &Store, n: u8) -> Option<(Session, Person, bool)> {
    store.session(hash(n), HOUR).await.unwrap()
}

pub(crate) fn new_token(n: u8, subject: &str, expires: Timestamp) -> NewToken {
    NewToken {
        role: "user".into(),
        subject: subject.into(),
        name: format!("script {n}"),
        scopes: vec!["read".into(), "write".into()],
        hash: hash(n),
        expires,
    }
}

async fn a_person_keeps_the_name_of_first_sight(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let ann = store.person_seen("s1", "ann", "user").await.unwrap();
    assert_eq!(
        (&ann.subject[..], &ann.name[..], &ann.role[..]),
        ("s1", "ann", "user")
    );
    assert_eq!((ann.disabled, ann.quota), (false, Quota::default()));

    let renamed = store.person_seen("s1", "beth", "admin").await.unwrap();
    assert_eq!((&renamed.name[..], &renamed.role[..]), ("ann", "admin"));
    for (subject, name) in [("s2", "ann-2"), ("s3", "ann-3")] {
        assert_eq!(
            store.person_seen(subject, "ann", "user").await.unwrap().name,
            name
        );
    }
    // A name that somebody chose is not handed out again.
    assert_eq!(
        store.person_seen("s4", "ann-4", "user").await.unwrap().name,
        "ann-4"
    );
    assert_eq!(
        store.person_seen("s5", "ann", "user").await.unwrap().name,
        "ann-5"
    );
    for (subject, preferred, name) in [("s6", "local", "local-2"), ("s7", "Local", "Local-2")] {
        assert_eq!(
            store.person_seen(subject, preferred, "user").await.unwrap().name,
            name
        );
    }
    assert_eq!(store.person("local").await.unwrap(), None);

    assert_eq!(
        store.person("ann").await.unwrap(),
        store.person_of("s1").await.unwrap()
    );
    assert_eq!(store.person("beth").await.unwrap(), None);
    assert_eq!(store.person_of("ann").await.unwrap(), None);
    let odd = store.person_seen("s\0", "<é>'\0", "user").await.unwrap();
    assert_eq!(odd.name, "<é>'\u{FFFD}");
    assert_eq!(store.person_of("s\0").await.unwrap(), Some(odd));
}

async fn of_people_who_come_at_once_each_gets_a_name(backend: Backend) {
    let home = Home::new(backend).await;
    // Each of six people twice, from two replicas.
    let replica = Store::open(home.url()).await.unwrap();
    let subjects: Vec<String> = (0..6).map(|n| format!("s{n}")).collect();
    let seen = subjects
        .iter()
        .flat_map(|subject| [&home.store, &replica].map(|store| store.person_seen(subject, "ann", "user")));
    let people = try_join_all(seen).await.unwrap();
    let names: HashSet<(&str, &str)> = people
        .iter()
        .map(|person| (&person.subject[..], &person.name[..]))
        .collect();
    assert_eq!(names.len(), 6, "{names:?}");
    let names: HashSet<&str> = names.into_iter().map(|(_, name)| name).collect();
    assert_eq!(
        names,
        HashSet::from(["ann", "ann-2", "ann-3", "ann-4", "ann-5", "ann-6"])
    );
}

async fn a_person_is_written_only_when_there_is_news(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let first = seen(store, "ann").await;
    rewrite(&home, "UPDATE person SET seen_at = seen_at - 3500000").await;
    let earlier = store.person("ann").await.unwrap().unwrap();
    assert_eq!(seen(store, "ann").await, earlier);
    rewrite(&home, "UPDATE person SET seen_at = seen_at - 200000").await;
    assert!(seen(store, "ann").await.seen_at >= first.seen_at);

    assert!(store.disable_person("ann").await.unwrap());
    assert!(!store.disable_person("ann").await.unwrap());
    assert!(!store.disable_person("bob").await.unwrap());
    assert!(store.person("ann").await.unwrap().unwrap().disabled);
    assert!(!seen(store, "ann").await.disabled);
    assert!(!store.person("ann").await.unwrap().unwrap().disabled);
}

async fn people_are_listed_by_name(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    for subject in ["émile", "bob", "Zoe", "ann", "ann-2"] {
        seen(store, subject).await;
    }
    let page = async |after: &str, limit| -> Vec<String> {
        let people = store.people(after, limit).await.unwrap();
        people.into_iter().map(|person| person.name).collect()
    };
    assert_eq!(page("", 3).await, ["Zoe", "ann", "ann-2"]);
    assert_eq!(page("ann-2", 3).await, ["bob", "émile"]);
    assert_eq!(page("émile", u64::MAX).await, [""; 0]);
}

async fn limits_are_kept_as_set(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    seen(store, "ann").await;
    seen(store, "bob").await;
    let quota = Quota {
        running: Some(0),
        queued: Some(2),
        pending: Some(4),
        positions: Some(3),
        stored_bytes: Some(1 << 40),
        requests: Some(i64::MAX as u64),
    };
    let ann = store.set_quota("ann", quota).await.unwrap().unwrap();
    assert_eq!(ann.quota, quota);
    assert_eq!(seen(store, "ann").await, ann);
    assert_eq!(
        store.person("bob").await.unwrap().unwrap().quota,
        Quota::default()
    );
    let changed = Quota {
        requests: Some(u64::MAX),
        ..Quota::default()
    };
    let ann = store.set_quota("ann", changed).await.unwrap().unwrap();
    assert_eq!(
        (ann.quota.running, ann.quota.requests),
        (None, Some(i64::MAX as u64))
    );
    assert_eq!(store.set_quota("eve", quota).await.unwrap(), None);
}

async fn a_login_is_taken_once_and_in_time(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    for n in 1..=3 {
        store
            .begin_login(hash(n), hash(100 + n), vec![n, 0, 255])
            .await
            .unwrap();
    }
    assert_eq!(store.take_login(hash(9)).await.unwrap(), None);
    let takers = join_all((0..8).map(|_| store.take_login(hash(1)))).await;
    let taken: Vec<Login> = takers.into_iter().filter_map(Result::unwrap).collect();
    let login = |n| Login {
        browser_hash: hash(100 + n),
        sealed: vec![n, 0, 255],
    };
    assert_eq!(taken, [login(1)]);

    rewrite(&home, "UPDATE login SET created_at = created_at - 540000").await;
    assert_eq!(store.take_login(hash(2)).await.unwrap(), Some(login(2)));
    rewrite(&home, "UPDATE login SET created_at = created_at - 60000").await;
    assert_eq!(store.take_login(hash(3)).await.unwrap(), None);
}

async fn a_session_lives_while_it_is_used(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let ann = seen(store, "ann").await;
    let made = store
        .create_session(new_session(1, "ann", Some("sid")))
        .await
        .unwrap();
    assert_eq!((made.id_hash, &made.subject[..]), (hash(1), "ann"));
    assert_eq!((made.sid.as_deref(), &made.role[..]), (Some("sid"), "user"));
    assert_eq!(made.sealed, [0, 255, 1]);
    assert_eq!(made.seen_at, made.created_at);
    let after = |time: Timestamp| time.millis() - made.created_at.millis();
    assert_eq!((after(made.fresh_until), after(made.expires_at)), (MINUTE, DAY));
    assert_eq!(session(store, 1).await, Some((made.clone(), ann, true)));
    assert_eq!(session(store, 2).await, None);
    assert!(
        store
            .create_session(new_session(2, "nobody", None))
            .await
            .is_err()
    );
    assert!(store.create_session(new_session(1, "ann", None)).await.is_err());

    // Use is noted at most once a minute.
    let seen_at = async || session(store, 1).await.unwrap().0.seen_at;
    rewrite(&home, "UPDATE session SET seen_at = seen_at - 50000").await;
    let before = seen_at().await;
    store.touch_session(hash(1)).await.unwrap();
    assert_eq!(seen_at().await, before);
    rewrite(&home, "UPDATE session SET seen_at = seen_at - 20000").await;
    store.touch_session(hash(1)).await.unwrap();
    assert!(seen_at().await >= made.seen_at);

    rewrite(&home, "UPDATE session SET seen_at = seen_at - 3599000 + 60000").await;
    assert!(session(store, 1).await.is_some());
    assert_eq!(store.session(hash(1), 59 * MINUTE - 60_000).await.unwrap(), None);
    rewrite(&home, "UPDATE session SET seen_at = seen_at - 60000 - 1000").await;
    assert_eq!(session(store, 1).await, None);
    rewrite(
        &home,
        "UPDATE session SET seen_at = created_at, expires_at = created_at",
    )
    .await;
    assert_eq!(session(store, 1).await, None);
}

async fn a_disabled_person_has_no_session_and_no_token(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    seen(store, "ann").await;
    store.create_session(new_session(1, "ann", None)).await.unwrap();
    store
        .create_token(&new_token(2, "ann", from_now(DAY)), 50)
        .await
        .unwrap();
    store.disable_person("ann").await.unwrap();
    assert_eq!(session(store, 1).await, None);
    assert_eq!(store.token(hash(2)).await.unwrap(), None);
    seen(store, "ann").await;
    assert!(session(store, 1).await.is_some());
    assert!(store.token(hash(2)).await.unwrap().is_some());

    // Both go with their person.
    rewrite(&home, "DELETE FROM person").await;
    assert_eq!(store.end_session(hash(1)).await.unwrap(), None);
    assert_eq!(store.tokens_of("ann").await.unwrap(), []);
}

async fn one_of_many_refreshes_a_session(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let replica = Store::open(home.url()).await.unwrap();
    seen(store, "ann").await;
    store.create_session(new_session(1, "ann", None)).await.unwrap();
    assert!(
        !store.claim_refresh(hash(1), MINUTE).await.unwrap(),
        "it is fresh"
    );
    rewrite(&home, "UPDATE session SET fresh_until = created_at").await;
    assert!(!session(store, 1).await.unwrap().2);
    let claims = (0..4).flat_map(|_| [store, &replica].map(|store| store.claim_refresh(hash(1), MINUTE)));
    let claimed = try_join_all(claims).await.unwrap();
    assert_eq!(claimed.iter().filter(|held| **held).count(), 1);

    // One who failed holds it up for a while only.
    rewrite(&home, "UPDATE session SET held_until = held_until - 60000").await;
    assert!(store.claim_refresh(hash(1), MINUTE).await.unwrap());
    assert!(store.refreshed(hash(1), "admin", vec![7], MINUTE).await.unwrap());
    let (refreshed, _, fresh) = session(store, 1).await.unwrap();
    assert_eq!(
        (&refreshed.role[..], &refreshed.sealed[..], fresh),
        ("admin", &[7][..], true)
    );
    assert!(
        !store.claim_refresh(hash(1), MINUTE).await.unwrap(),
        "another has refreshed it"
    );

    assert_eq!(store.end_session(hash(1)).await.unwrap(), Some(refreshed));
    assert_eq!(store.end_session(hash(1)).await.unwrap(), None);
    assert!(!store.refreshed(hash(1), "user", vec![8], MINUTE).await.unwrap());
    assert_eq!(session(store, 1).await, None);
}

async fn sessions_end_by_subject_and_by_the_providers_name(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    for subject in ["ann", "bob"] {
        seen(store, subject).await;
    }
    for (n, subject, sid) in [
        (1, "ann", Some("a1")),
        (2, "ann", Some("a2")),
        (3, "ann", None),
        (4, "bob", Some("b1")),
        (5, "bob", Some("a2")),
    ] {
        store.create_session(new_session(n, subject, sid)).await.unwrap();
    }
    let left = async |subject: &str| -> HashSet<[u8; 32]> {
        let sessions = store.sessions_of(subject).await.unwrap();
        sessions.into_iter().map(|session| session.id_hash).collect()
    };
    assert_eq!(store.end_sessions(None, None).await.unwrap(), 0);
    assert_eq!(store.end_sessions(Some("eve"), None).await.unwrap(), 0);
    assert_eq!(store.end_sessions(Some("bob"), Some("a1")).await.unwrap(), 0);
    assert_eq!(store.end_sessions(Some("ann"), Some("a2")).await.unwrap(), 1);
    assert_eq!(left("ann").await, HashSet::from([hash(1), hash(3)]));
    assert_eq!(left("bob").await, HashSet::from([hash(4), hash(5)]));
    assert_eq!(store.end_sessions(None, Some("b1")).await.unwrap(), 1);
    assert_eq!(left("bob").await, HashSet::from([hash(5)]));
    assert_eq!(store.end_sessions(Some("ann"), None).await.unwrap(), 2);
    assert_eq!(left("ann").await, HashSet::new());
    rewrite(&home, "UPDATE session SET seen_at = seen_at - 3600000").await;
    assert_eq!(left("bob").await, HashSet::new());
}

async fn a_logout_token_is_new_once(backend: Backend) {
    let home = Home::new(backend).await;
    let until = from_now(MINUTE).millis();
    let store = &home.store;
    seen(store, "ann").await;
    for n in 1..=2 {
        store.create_session(new_session(n, "ann", None)).await.unwrap();
    }
    let end = |n: u8| store.end_sessions_once(hash(n), until, Some("ann"), None);
    let ended: Vec<Option<u64>> = try_join_all((0..8).map(|_| end(1))).await.unwrap();
    let obeyed: Vec<u64> = ended.into_iter().flatten().collect();
    assert_eq!(obeyed, [2]);
    assert_eq!(end(2).await.unwrap(), Some(0));
}

async fn a_token_is_found_by_its_hash_until_it_ends(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let ann = seen(store, "ann").await;
    let expires = from_now(DAY);
    let new = new_token(1, "ann", expires);
    let made = store.create_token(&new, 50).await.unwrap().unwrap();
    assert_eq!((&made.name, &made.scopes), (&new.name, &new.scopes));
    assert_eq!(
        (&made.subject[..], made.expires_at, made.last_used),
        ("ann", expires, None)
    );
    assert_eq!(store.token(hash(1)).await.unwrap(), Some((made.clone(), ann)));
    assert_eq!(store.token(hash(2)).await.unwrap(), None);
    assert!(store.create_token(&new, 50).await.is_err(), "the hash is taken");
    assert!(
        store
            .create_token(&new_token(2, "nobody", expires), 50)
            .await
            .is_err()
    );

    let last_used = async || store.token(hash(1)).await.unwrap().unwrap().0.last_used;
    store.touch_token(made.id).await.unwrap();
    let first_use = last_used().await.unwrap();
    assert!(first_use >= made.created_at);
    rewrite(&home, "UPDATE api_token SET last_used = last_used - 50000").await;
    let before = last_used().await;
    store.touch_token(made.id).await.unwrap();
    assert_eq!(last_used().await, before);
    rewrite(&home, "UPDATE api_token SET last_used = last_used - 20000").await;
    store.touch_token(made.id).await.unwrap();
    assert!(last_used().await.unwrap() >= first_use);

    rewrite(&home, "UPDATE api_token SET expires_at = created_at").await;
    assert_eq!(store.token(hash(1)).await.unwrap(), None);
    let tokens = store.tokens_of("ann").await.unwrap();
    assert_eq!(tokens.len(), 1, "it is still shown");
}

async fn tokens_are_revoked_by_their_owner_alone(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let mut made: Vec<ApiToken> = Vec::new();
    for (n, subject) in [(1, "ann"), (2, "ann"), (3, "ann"), (4, "bob")] {
        seen(store, subject).await;
        made.push(
            store
                .create_token(&new_token(n, subject, from_now(DAY)), 50)
                .await
                .unwrap()
                .unwrap(),
        );
    }
    let ids = async |subject: &str| -> Vec<Uuid> {
        let tokens = store.tokens_of(subject).await.unwrap();
        tokens.into_iter().map(|token| token.id).collect()
    };
    assert_eq!(ids("ann").await, [made[2].id, made[1].id, made[0].id]);
    assert!(!store.revoke_token("bob", made[0].id).await.unwrap());
    assert!(store.token(hash(1)).await.unwrap().is_some());
    assert!(store.revoke_token("ann", made[0].id).await.unwrap());
    assert!(!store.revoke_token("ann", made[0].id).await.unwrap());
    assert_eq!(store.token(hash(1)).await.unwrap(), None);
    assert_eq!(store.revoke_tokens("ann").await.unwrap(), 2);
    assert!(ids("ann").await.is_empty());
    assert_eq!(ids("bob").await, [made[3].id]);
}

async fn a_job_is_shared_until_the_link_ends(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let (one, other) = (
        create(store, new_job("ann")).await,
        create(store, new_job("ann")).await,
    );
    let expires = from_now(DAY);
    let share = store.create_share(one, hash(1), expires).await.unwrap().unwrap();
    assert_eq!((share.job, share.expires_at), (one, expires));
    let second = store.create_share(one, hash(2), expires).await.unwrap().unwrap();
    assert_eq!(
        store.create_share(JobId::new(), hash(3), expires).await.unwrap(),
        None
    );
    assert!(
        store.create_share(other, hash(1), expires).await.is_err(),
        "the hash is taken"
    );
    assert_eq!(store.shared(hash(1)).await.unwrap(), Some(share.clone()));
    assert_eq!(store.shared(hash(3)).await.unwrap(), None);
    assert_eq!(store.shares(one).await.unwrap(), [second.clone(), share.clone()]);
    assert_eq!(store.shares(other).await.unwrap(), []);

    assert!(!store.revoke_share(other, share.id).await.unwrap());
    assert!(store.revoke_share(one, share.id).await.unwrap());
    assert!(!store.revoke_share(one, share.id).await.unwrap());
    assert_eq!(store.shared(hash(1)).await.unwrap(), None);
    assert_eq!(store.shared(hash(2)).await.unwrap(), Some(second));
    rewrite(&home, "UPDATE share SET expires_at = created_at").await;
    assert_eq!(store.shared(hash(2)).await.unwrap(), None);
    assert_eq!(store.shares(one).await.unwrap(), []);
}

async fn links_go_with_their_job(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let job = create(store, new_job("ann")).await;
    store
        .create_share(job, hash(1), from_now(DAY))
        .await
        .unwrap()
        .unwrap();
    store.destroy(job).await.unwrap().unwrap();
    assert_eq!(store.shared(hash(1)).await.unwrap(), None);
    assert_eq!(
        store.create_share(job, hash(2), from_now(DAY)).await.unwrap(),
        None
    );

    // Destroyed while it is being shared: either the link goes too, or there is none; never a fault.
    for n in 3..13 {
        let job = create(store, new_job("ann")).await;
        let (shared, destroyed) = futures::join!(
            store.create_share(job, hash(n), from_now(DAY)),
            store.destroy(job)
        );
        shared.unwrap();
        destroyed.unwrap().unwrap();
        assert_eq!(store.shared(hash(n)).await.unwrap(), None);
    }
}

async fn the_audit_record_is_read_backwards(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let new = |n: usize| NewAudit {
        actor: (n > 0).then(|| "ann".into()),
        action: format!("act {n}"),
        subject: "job".into(),
        detail: "é\u{1b}".repeat(n * 300),
        address: Some("2001:db8::1".into()),
    };
    for n in 0..5 {
        store.audit(&new(n)).await.unwrap();
    }
    let first = store.audit_log(&AuditFilter::default(), None, 3).await.unwrap();
    let rest = store
        .audit_log(&AuditFilter::default(), Some(first[2].id), 3)
        .await
        .unwrap();
    let entries: Vec<AuditEntry> = first.into_iter().chain(rest).collect();
    let actions: Vec<&str> = entries.iter().map(|entry| &entry.action[..]).collect();
    assert_eq!(actions, ["act 4", "act 3", "act 2", "act 1", "act 0"]);
    let all = AuditFilter::default();
    assert_eq!(store.audit_log(&all, Some(entries[4].id), 3).await.unwrap(), []);
    let (last, middle) = (&entries[0], &entries[3]);
    assert_eq!(middle.detail, "é\\u{1b}".repeat(300), "shown as what it is");
    assert_eq!(last.detail, "é\\u{1b}".repeat(500), "cut where it is too long");
    assert_eq!((last.actor.as_deref(), &last.subject[..]), (Some("ann"), "job"));
    assert_eq!(last.address.as_deref(), Some("2001:db8::1"));
    assert_eq!(entries[4].actor, None);
    assert!(last.at >= middle.at);
}

async fn the_audit_record_is_searched(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    for (actor, action, subject) in [
        (Some("ann"), "refused", "GET /api/v1/jobs/100%"),
        (Some("bob"), "refused", "GET /api/v1/me"),
        (None, "refused", "POST /api/v1/jobs"),
        (Some("ann"), "login", "user"),
    ] {
        let new = NewAudit {
            actor: actor.map(str::to_owned),
            action: action.into(),
            subject: subject.into(),
            ..NewAudit::default()
        };
        store.audit(&new).await.unwrap();
    }
    let found = async |filter: AuditFilter| -> Vec<String> {
        let entries = store.audit_log(&filter, None, 10).await.unwrap();
        entries.into_iter().map(|entry| entry.subject).collect()
    };
    let some = |text: &str| Some(text.to_owned());
    let by_ann = AuditFilter {
        actor: some("ann"),
        ..AuditFilter::default()
    };
    assert_eq!(found(by_ann.clone()).await, ["user", "GET /api/v1/jobs/100%"]);
    let refused = AuditFilter {
        action: some("refused"),
        ..by_ann
    };
    assert_eq!(found(refused).await, ["GET /api/v1/jobs/100%"]);
    for (subject, number) in [("/jobs", 2), ("100%", 1), ("%", 1), ("/JOBS", 0), ("", 4)] {
        let filter = AuditFilter {
            subject: some(subject),
            ..AuditFilter::default()
        };
        assert_eq!(found(filter).await.len(), number, "{subject}");
    }
    let at = store.audit_log(&AuditFilter::default(), None, 1).await.unwrap()[0].at;
    let later = Timestamp::from_millis(at.millis() + 1);
    for (since, until, number) in [
        (later, None, 0),
        (None, later, 4),
        (Timestamp::from_millis(0), later, 4),
        (None, Timestamp::from_millis(0), 0),
    ] {
        let filter = AuditFilter {
            since,
            until,
            ..AuditFilter::default()
        };
        assert_eq!(found(filter).await.len(), number, "{since:?} {until:?}");
    }
}

async fn a_transaction_is_all_or_nothing(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    seen(store, "ann").await;
    let [kept, gone] = [
        create(store, new_job("ann")).await,
        create(store, new_job("ann")).await,
    ];
    let entry = |action: &str| NewAudit {
        action: action.into(),
        ..NewAudit::default()
    };
    for (job, commits) in [(&kept, false), (&gone, true)] {
        let change = store.transaction().await.unwrap();
        assert!(change.abort(*job).await.unwrap().is_some());
        assert!(change.destroy(*job).await.unwrap().is_some());
        change.audit(&entry("destroyed")).await.unwrap();
        assert_eq!(change.get(*job).await.unwrap(), None, "it sees what it does");
        if commits {
            change.commit().await.unwrap();
        }
    }
    assert_eq!(store.get(kept).await.unwrap().unwrap().phase, Phase::Pending);
    assert_eq!(store.get(gone).await.unwrap(), None);
    let all = AuditFilter::default();
    assert_eq!(store.audit_log(&all, None, 10).await.unwrap().len(), 1);
}

async fn what_has_expired_is_forgotten(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    seen(store, "ann").await;
    let job = create(store, new_job("ann")).await;
    store.begin_login(hash(1), hash(2), Vec::new()).await.unwrap();
    store.begin_logout(hash(1), Vec::new()).await.unwrap();
    for n in 1..=2 {
        store.create_session(new_session(n, "ann", None)).await.unwrap();
    }
    store
        .create_token(&new_token(1, "ann", from_now(0)), 50)
        .await
        .unwrap();
    store
        .create_share(job, hash(1), from_now(DAY))
        .await
        .unwrap()
        .unwrap();
    store
        .end_sessions_once(hash(1), from_now(0).millis(), None, None)
        .await
        .unwrap();
    store.audit(&NewAudit::default()).await.unwrap();
    assert_eq!(store.forget_expired().await.unwrap(), 0);

    let days = |days: i64| days * DAY;
    for (age, ages) in [
        ("UPDATE login SET created_at = created_at - ", 10 * MINUTE),
        ("UPDATE logout SET created_at = created_at - ", MINUTE),
        ("UPDATE session SET expires_at = expires_at - ", DAY),
        ("UPDATE api_token SET expires_at = expires_at - ", days(30)),
        ("UPDATE share SET expires_at = expires_at - ", DAY),
        ("UPDATE logout_seen SET until = until - ", HOUR),
        ("UPDATE audit SET at = at - ", days(400)),
    ] {
        // Not yet, a minute before.
        rewrite(&home, &format!("{age}{}", ages - MINUTE)).await;
        assert_eq!(store.forget_expired().await.unwrap(), 0, "{age}");
        rewrite(&home, &format!("{age}{MINUTE}")).await;
        let sessions = u64::from(age.contains("session"));
        assert_eq!(store.forget_expired().await.unwrap(), 1 + sessions, "{age}");
    }
    // And one that is not used.
    store.create_session(new_session(1, "ann", None)).await.unwrap();
    rewrite(&home, &format!("UPDATE session SET seen_at = seen_at - {HOUR}")).await;
    assert_eq!(store.forget_expired().await.unwrap(), 1);
    assert!(store.person("ann").await.unwrap().is_some());
    let of_the_job = Usage {
        pending: 1,
        ..Usage::default()
    };
    assert_eq!(store.usage("ann").await.unwrap(), of_the_job);
}

async fn an_owners_use_is_counted(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    assert_eq!(store.usage("ann").await.unwrap(), Usage::default());
    let worker = worker(store).await;
    for owner in ["ann", "ann", "ann", "bob"] {
        queue(store, new_job(owner)).await;
    }
    create(store, new_job("ann")).await;
    let mut claimed = store.claim(worker, &["echo".into()], 9).await.unwrap();
    claimed.retain(|claimed| claimed.job.owner.as_deref() == Some("ann"));
    let [first, second, third] = [0, 1, 2].map(|n: usize| claimed[n].lease);
    let back = |lease| Finish {
        lease,
        ending: Ending::Released,
    };
    store.pause(second, true).await.unwrap().unwrap();
    store.finish(&[back(third)]).await.unwrap();
    let usage = async |owner: &str| {
        let usage = store.usage(owner).await.unwrap();
        [usage.running, usage.queued, usage.stored_bytes]
    };
    assert_eq!(usage("ann").await, [2, 1, 0]);
    assert_eq!(usage("bob").await, [1, 0, 0]);

    let results = |names: &[(&str, &str, u64)]| Report {
        results: names
            .iter()
            .map(|(name, object, size)| StoredResult {
                name: (*name).into(),
                media_type: "text/plain".into(),
                size: *size,
                sha256: "00".into(),
                object: format!("job/1/{object}"),
                principal: false,
                recipe: None,
            })
            .collect(),
        ..Report::default()
    };
    // A second name takes no room; saying it again changes nothing, also together with more.
    let one = results(&[("a", "a", 100), ("result", "a", 100)]);
    for _ in 0..2 {
        store.report(first, &one, 0).await.unwrap().unwrap();
        assert_eq!(usage("ann").await, [2, 1, 100]);
    }
    let more = results(&[("a", "a", 100), ("result", "a", 100), ("b", "b", 20)]);
    store.report(first, &more, 0).await.unwrap().unwrap();
    assert_eq!(usage("ann").await, [2, 1, 120]);
    for _ in 0..2 {
        store
            .report(first, &results(&[("c", "c", 3)]), 3)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(usage("ann").await, [2, 1, 123]);
    }
    store
        .report(second, &results(&[("a", "a", 4_000)]), 0)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(usage("ann").await, [2, 1, 4_123]);

    // What a run leaves that goes back to the queue is nobody's; what a destroyed job had neither.
    store.finish(&[back(second)]).await.unwrap();
    assert_eq!(usage("ann").await, [1, 2, 123]);
    let ending = Ending::Completed;
    store.finish(&[Finish { lease: first, ending }]).await.unwrap();
    assert_eq!(usage("ann").await, [0, 2, 123]);
    store.destroy(first.job).await.unwrap().unwrap();
    assert_eq!(usage("ann").await, [0, 2, 0]);
    assert_eq!(usage("bob").await, [1, 0, 0]);
}

async fn worker(store: &Store) -> WorkerId {
    let worker = WorkerId(Uuid::now_v7());
    store.register(worker, "host", 4, false).await.unwrap();
    worker
}

async fn limit(store: &Store, name: &str, running: Option<u64>) {
    seen(store, name).await;
    let quota = Quota {
        running,
        ..Quota::default()
    };
    store.set_quota(name, quota).await.unwrap().unwrap();
}

async fn a_claim_keeps_to_the_owners_limits(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let worker = worker(store).await;
    let services = ["echo".to_owned()];
    for owner in ["ann", "ann", "ann", "ann", "bob", "bob", "bob", "eve", "eve"] {
        queue(store, new_job(owner)).await;
    }
    let urgent = queue(
        store,
        NewJob {
            priority: 1,
            ..new_job("eve")
        },
    )
    .await;
    let claim = async |limit, running| {
        let claimed = store
            .claim_within_limits(worker, &services, limit, running)
            .await
            .unwrap();
        let owners = claimed.iter().map(|claimed| claimed.job.owner.clone().unwrap());
        let mut owners: Vec<String> = owners.collect();
        owners.sort();
        (owners.join(" "), claimed)
    };
    assert!(!store.anyone_limited().await.unwrap());
    limit(store, "bob", Some(1)).await;
    assert!(store.anyone_limited().await.unwrap());

    let (owners, first) = claim(1, Some(2)).await;
    assert_eq!((&owners[..], first[0].job.id), ("eve", urgent));
    assert_eq!(claim(0, Some(2)).await.0, "");
    // Two of everyone, of bob one; what runs already counts, also while it is suspended.
    store.pause(first[0].lease, true).await.unwrap().unwrap();
    assert_eq!(claim(9, Some(2)).await.0, "ann ann bob eve");
    assert_eq!(claim(9, Some(2)).await.0, "");
    let ending = Ending::Completed;
    let lease = first[0].lease;
    store.finish(&[Finish { lease, ending }]).await.unwrap();
    assert_eq!(claim(9, Some(2)).await.0, "eve");
    assert_eq!(claim(9, Some(3)).await.0, "ann");
    // Without a default only bob is limited; 0 is no limit.
    assert_eq!(claim(9, None).await.0, "ann");
    limit(store, "bob", Some(2)).await;
    assert_eq!(claim(9, Some(1)).await.0, "bob");
    limit(store, "bob", Some(0)).await;
    assert_eq!(claim(9, Some(1)).await.0, "bob");
    limit(store, "bob", None).await;
    assert!(!store.anyone_limited().await.unwrap());

    queue(
        store,
        NewJob {
            service: "slow".into(),
            ..new_job("zoe")
        },
    )
    .await;
    assert_eq!(claim(9, Some(1)).await.0, "", "another service's");
}

async fn claims_at_once_keep_to_the_limit_together(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let replica = Store::open(home.url()).await.unwrap();
    let workers = try_join_all((0..8).map(async |_| Ok::<_, ()>(worker(store).await)))
        .await
        .unwrap();
    for _ in 0..20 {
        queue(store, new_job("ann")).await;
    }
    let services = ["echo".to_owned()];
    let claims = workers.iter().enumerate().map(|(n, worker)| {
        let store = if n % 2 == 0 { store } else { &replica };
        store.claim_within_limits(*worker, &services, 2, Some(3))
    });
    let claimed = try_join_all(claims).await.unwrap();
    assert_eq!(claimed.iter().map(Vec::len).sum::<usize>(), 3);
    assert_eq!(store.usage("ann").await.unwrap().running, 3);
}

async fn runs_at_once_keep_to_the_limit_together(backend: Backend) {
    const MOST: u64 = 5;
    let home = Home::new(backend).await;
    let store = &home.store;
    let replica = Store::open(home.url()).await.unwrap();
    let mut jobs = Vec::new();
    for _ in 0..24 {
        jobs.push(create(store, new_job("ann")).await);
    }
    // One that an operator holds counts, but not against itself.
    let held = queue(store, new_job("ann")).await;
    store.hold(held).await.unwrap().unwrap();
    queue(store, new_job("bob")).await;
    let runs = jobs.iter().enumerate().map(|(n, id)| {
        let store = if n % 2 == 0 { store } else { &replica };
        store.run_within(*id, FIRST_VERSION, STEP, "ann", MOST)
    });
    let runs = try_join_all(runs).await.unwrap();
    let queued = runs.iter().filter(|run| matches!(run, Run::Queued(_))).count();
    let full = runs.iter().filter(|run| **run == Run::Full).count();
    assert_eq!((queued, full), (4, 20));
    let usage = store.usage("ann").await.unwrap();
    assert_eq!((usage.queued, usage.pending), (MOST, 20));

    let run = async |id, version| store.run_within(id, version, STEP, "ann", MOST).await.unwrap();
    let (_, version) = store.phase(held).await.unwrap().unwrap();
    assert_eq!(run(held, version - 1).await, Run::Changed);
    assert!(matches!(run(held, version).await, Run::Queued(_)));
    assert_eq!(store.usage("ann").await.unwrap().queued, MOST);
}

/// A new job with a file of so many bytes.
fn with_file(owner: &str, size: u64) -> NewJob {
    NewJob {
        parameters: file(size),
        ..new_job(owner)
    }
}

fn file(size: u64) -> Parameters {
    let mut parameters = Parameters::default();
    let upload = ParameterValue::Upload {
        key: "a/in/b".into(),
        media_type: "text/plain".into(),
        size,
    };
    parameters
        .push("WORD", ParameterValue::Inline("upload".into()))
        .unwrap();
    parameters.push("FILE", upload).unwrap();
    parameters
}

async fn jobs_made_at_once_keep_to_their_room_together(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let replica = Store::open(home.url()).await.unwrap();
    let create_all = async |news: Vec<NewJob>, room: Room| {
        let made = news.iter().enumerate().map(|(n, new)| {
            let store = if n % 2 == 0 { store } else { &replica };
            store.create_within(new, room)
        });
        let mut refused = try_join_all(made).await.unwrap();
        refused.retain(|made| !matches!(made, Created::New(_)));
        refused
    };
    let pending = Room {
        pending: Some(3),
        stored_bytes: None,
    };
    create(store, new_job("bob")).await;
    let refused = create_all((0..16).map(|_| new_job("ann")).collect(), pending).await;
    assert_eq!(refused, vec![Created::Full(Full::Pending(3)); 13]);
    let bytes = Room {
        pending: None,
        stored_bytes: Some(35),
    };
    let refused = create_all((0..16).map(|_| with_file("eve", 10)).collect(), bytes).await;
    assert_eq!(refused, vec![Created::Full(Full::StoredBytes(35)); 13]);
    let usage = store.usage("eve").await.unwrap();
    assert_eq!((usage.pending, usage.stored_bytes), (3, 30));

    // The request that has filled it may be repeated.
    let keyed = NewJob {
        idempotency_key: Some("k".into()),
        ..with_file("zoe", 35)
    };
    let Created::New(first) = store.create_within(&keyed, bytes).await.unwrap() else {
        panic!("no room")
    };
    let again = NewJob {
        id: JobId::new(),
        ..keyed
    };
    let again = store.create_within(&again, bytes).await.unwrap();
    assert!(matches!(again, Created::Before(job) if job.id == first.id));
}

async fn bytes_of_files_count_from_before_they_were_counted(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let job = create(store, with_file("ann", 40)).await;
    create(store, new_job("ann")).await;
    let stored = async || store.usage("ann").await.unwrap().stored_bytes;
    assert_eq!(stored().await, 40);
    let edit = Edit::Description {
        version: FIRST_VERSION,
        parameters: file(7),
        quote: None,
        run_id: None,
    };
    store.edit(job, edit).await.unwrap().unwrap();
    assert_eq!(stored().await, 7);

    // As a server of before has left it.
    for sql in [
        "DROP INDEX job_pending",
        "ALTER TABLE job DROP COLUMN upload_bytes",
        "ALTER TABLE person DROP COLUMN pending",
    ] {
        harness::execute(home.url(), sql).await;
    }
    rewrite(
        &home,
        "DELETE FROM seaql_migrations WHERE version = 'm0007_pending'",
    )
    .await;
    let later = Store::open(home.url()).await.unwrap();
    later.migrate().await.unwrap();
    assert_eq!(later.usage("ann").await.unwrap().stored_bytes, 7);
}

async fn tokens_made_at_once_are_no_more_than_there_may_be(backend: Backend) {
    let home = Home::new(backend).await;
    let store = &home.store;
    let replica = Store::open(home.url()).await.unwrap();
    seen(store, "ann").await;
    seen(store, "bob").await;
    let create = async |n: u8, expires: i64| {
        let store = if n.is_multiple_of(2) { store } else { &replica };
        let new = new_token(n, "ann", from_now(expires));
        store.create_token(&new, 3).await.unwrap().is_some()
    };
    // Those that have ended take no room, and are not kept without end.
    for n in 0..8 {
        assert!(create(n, 0).await);
    }
    let made = join_all((8..20).map(|n| create(n, DAY))).await;
    assert_eq!(made.iter().filter(|made| **made).count(), 3);
    let kept = store.tokens_of("ann").await.unwrap();
    assert_eq!(kept.len(), 6);
    let of_bob = new_token(20, "bob", from_now(DAY));
    assert!(store.create_token(&of_bob, 3).await.unwrap().is_some());
    let living = kept.iter().find(|token| token.expires_at > from_now(0)).unwrap();
    assert!(store.revoke_token("ann", living.id).await.unwrap());
    assert!(create(21, DAY).await);
}
