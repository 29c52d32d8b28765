//! What the store promises those that run while the schema of the next release is made under them, in both dialects.

use sidereal::store::{
    AuditFilter, Ending, Filter, Finish, NewAudit, NewJob, ProductId, Quota, Recipe, Report, Store,
    StoredResult, jobs::Edit,
};

use crate::{
    harness::{Backend, execute, on_both_back_ends},
    store::{HOUR, Home, claim_one, create, new_job, queue, result, run, worker},
    store_people::{DAY, from_now, hash, new_session, new_token, seen},
};

on_both_back_ends!(statements_that_are_prepared_go_on_when_columns_are_added);

/// Uses every statement that gives rows of a table; `round` keeps what it makes apart from what was made before.
async fn use_all(store: &Store, round: u8) {
    let owner = format!("ann{round}");

    seen(store, &owner).await;
    seen(store, &owner).await;
    // In another role, which is written.
    store.person_seen(&owner, &owner, "operator").await.unwrap();
    store.person(&owner).await.unwrap().unwrap();
    store.person_of(&owner).await.unwrap().unwrap();
    assert_eq!(store.people("", 9).await.unwrap().len(), usize::from(round));
    store.set_quota(&owner, Quota::default()).await.unwrap().unwrap();

    store
        .create_session(new_session(round, &owner, None))
        .await
        .unwrap();
    store.session(hash(round), HOUR).await.unwrap().unwrap();
    assert_eq!(store.sessions_of(&owner).await.unwrap().len(), 1);
    store.end_session(hash(round)).await.unwrap().unwrap();

    let token = new_token(round, &owner, from_now(DAY));
    store.create_token(&token, 9).await.unwrap().unwrap();
    store.token(hash(round)).await.unwrap().unwrap();
    store.any_token(hash(round)).await.unwrap().unwrap();
    assert_eq!(store.tokens_of(&owner).await.unwrap().len(), 1);

    let keyed = NewJob {
        idempotency_key: Some("key".into()),
        fingerprint: Some("digest".into()),
        ..new_job(&owner)
    };
    let id = create(store, keyed).await;
    let before = store.created_before(&owner, Some("key"), "echo", Some("digest"));
    before.await.unwrap().unwrap();
    let label = Edit::RunId(Some("label".into()));
    store.edit(id, label).await.unwrap().unwrap();
    run(store, id).await.unwrap();
    store.hold(id).await.unwrap().unwrap();
    store.defer(id, 0, 0).await.unwrap().unwrap();
    run(store, id).await.unwrap();
    assert_eq!(store.jobs_under_way("echo", 9).await.unwrap().len(), 1);
    let worker = worker(store).await;
    let lease = claim_one(store, worker).await;
    let made = StoredResult {
        recipe: Some(Recipe {
            digest: "1".into(),
            facts: "{}".into(),
        }),
        ..result("a", true)
    };
    let report = Report {
        results: vec![made.clone()],
        ..Report::default()
    };
    store.report(lease, &report, 0).await.unwrap().unwrap();

    let product = ProductId {
        keeper: "keeper".into(),
        slug: "slug".into(),
    };
    store.hold_product(&product, lease).await.unwrap().unwrap();

    let ending = Ending::Completed;
    assert_eq!(store.finish(&[Finish { lease, ending }]).await.unwrap(), [id]);
    assert_eq!(store.get(id).await.unwrap().unwrap().results.len(), 1);
    store.outline(id).await.unwrap().unwrap();
    let listed = store.list(&Filter::default(), None, 9).await.unwrap();
    assert_eq!(store.summaries(&[id]).await.unwrap(), listed[..1]);
    assert_eq!(store.results(id).await.unwrap(), std::slice::from_ref(&made));
    assert_eq!(store.result(id, "a").await.unwrap(), Some(made.clone()));
    assert_eq!(store.made_by(&owner, &["1".into()]).await.unwrap(), [made]);

    store
        .create_share(id, hash(round), from_now(DAY))
        .await
        .unwrap()
        .unwrap();
    store.shared(hash(round)).await.unwrap().unwrap();
    assert_eq!(store.shares(id).await.unwrap().len(), 1);

    let other = queue(store, new_job(&owner)).await;
    let services = ["echo".to_owned()];
    let claimed = store.claim_within_limits(worker, &services, 1, None);
    assert_eq!(claimed.await.unwrap()[0].job.id, other);
    store.abort(other).await.unwrap().unwrap();
    store.destroy(other).await.unwrap().unwrap();

    let entry = NewAudit {
        actor: None,
        action: "act".into(),
        subject: "job".into(),
        detail: String::new(),
        address: None,
    };
    store.audit(&entry).await.unwrap();
    let entries = store.audit_log(&AuditFilter::default(), None, 9).await.unwrap();
    assert_eq!(entries.len(), usize::from(round));
}

/// The second time the connections have the statements prepared: Postgres refuses those that gave columns which are others
/// now.
async fn statements_that_are_prepared_go_on_when_columns_are_added(backend: Backend) {
    const TABLES: [&str; 10] = [
        "job",
        "job_result",
        "job_log",
        "job_destroyed",
        "person",
        "session",
        "api_token",
        "share",
        "audit",
        "dashboard",
    ];
    let home = Home::new(backend).await;
    use_all(&home.store, 1).await;
    for table in TABLES {
        execute(home.url(), &format!("ALTER TABLE {table} ADD COLUMN later TEXT")).await;
    }
    use_all(&home.store, 2).await;
}
