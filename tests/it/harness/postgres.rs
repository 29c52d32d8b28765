//! A PostgreSQL database for each test, copied from one that was migrated once.

use sidereal::store::Store;
use sqlx::{Connection, Executor, PgConnection};
use tokio::sync::OnceCell;
use url::Url;
use uuid::Uuid;

/// Dropped with this value.
pub struct Database {
    server: Url,
    name: String,
}

impl Database {
    /// A database with Sidereal's tables, empty.
    pub async fn migrated() -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let template = TEMPLATE.get_or_init(|| async {
            let template = Self::copy_of("template1").await;
            let store = Store::open(&template.url()).await.expect("PostgreSQL");
            store.migrate().await.expect("migrations");
            store.close().await.expect("PostgreSQL");
            // Every later test copies it: it lives as long as the server of `make test`.
            let name = template.name.clone();
            std::mem::forget(template);
            name
        });
        Self::copy_of(template.await).await
    }

    /// A database without tables.
    pub async fn empty() -> Self {
        Self::copy_of("template1").await
    }

    async fn copy_of(template: &str) -> Self {
        let server = server();
        let name = format!("sidereal_test_{}", Uuid::now_v7().simple());
        let database = Self { server, name };
        run(
            &database.server,
            &format!("CREATE DATABASE {} TEMPLATE {template}", database.name),
        )
        .await;
        database
    }

    /// `postgres://…/name`
    pub fn url(&self) -> String {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        url.into()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A runtime of its own: this may be dropped inside of another, or after it.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(run(&server, &format!("DROP DATABASE {name} WITH (FORCE)")));
        })
        .join();
        assert!(
            dropped.is_ok() || std::thread::panicking(),
            "{} was not dropped",
            self.name
        );
    }
}

/// The PostgreSQL server that `make test` starts; its user may create databases.
#[expect(
    clippy::disallowed_methods,
    reason = "a setting of the tests, not of the server"
)]
fn server() -> Url {
    let url = std::env::var("SIDEREAL_TEST_POSTGRES")
        .expect("SIDEREAL_TEST_POSTGRES names no PostgreSQL server; `make test` starts one");
    Url::parse(&url).expect("SIDEREAL_TEST_POSTGRES is a URL")
}

async fn run(server: &Url, statement: &str) {
    let mut connection = PgConnection::connect(server.as_str())
        .await
        .expect("the tests' PostgreSQL server");
    connection
        .execute(sqlx::AssertSqlSafe(statement))
        .await
        .unwrap_or_else(|e| panic!("{statement}: {e}"));
    connection.close().await.expect("the tests' PostgreSQL server");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_copy_has_what_its_template_had_and_goes_with_its_owner() {
        let template = Database::copy_of("template1").await;
        let url = Url::parse(&template.url()).expect("a URL");
        run(&url, "CREATE TABLE job (id int)").await;
        run(&url, "INSERT INTO job VALUES (7)").await;

        let copy = Database::copy_of(&template.name).await;
        let mut connection = PgConnection::connect(&copy.url()).await.expect("the copy");
        let id: i32 = sqlx::query_scalar("SELECT id FROM job")
            .fetch_one(&mut connection)
            .await
            .expect("the row");
        assert_eq!(id, 7);

        let url = copy.url();
        drop(copy);
        assert!(
            PgConnection::connect(&url).await.is_err(),
            "the copy is still there"
        );
    }
}
