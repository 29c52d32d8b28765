//! The database: entities, migrations, and the SQL of the job queue in both dialects, side by side.
//!
//! SQLite is the embedded default, Postgres what replicas share. Calls `sky`, `uws` and `settings`; knows nothing of HTTP,
//! of objects, or of what a caller may do. Times are the database's own, in milliseconds since 1970 UTC, so that
//! replicas with different clocks agree and both dialects compare them alike.

pub mod audit;
pub mod calls;
pub mod catalogue;
pub mod dashboards;
mod entity;
pub mod jobs;
mod migration;
pub mod once;
pub mod people;
pub mod queue;
mod reach;
mod room;
mod rows;
pub mod sessions;
pub mod shares;
pub mod sweep;
pub mod tokens;
pub mod workers;

use std::{ops::Deref, str::FromStr, sync::Arc, time::Duration};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseExecutor, DatabaseTransaction, DbBackend, DbErr,
    QueryResult, SqliteTransactionMode, SqlxPostgresConnector, SqlxSqliteConnector, Statement,
    TransactionOptions, TransactionTrait, Value,
};
use sea_orm_migration::MigratorTrait;
use sqlx::{
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use audit::{AuditEntry, AuditFilter, NewAudit};
pub use calls::LostCall;
pub use catalogue::{
    Catalogued, Collection, CollectionId, Image, ImageFilter, ImageHdu, ImageId, NewImage, Version, Word,
};
pub use dashboards::{Done, HeldProduct, Listed, ProductId, ProductJob, ProductStanding, Published};
pub use jobs::{Filter, JobSummary, LogLine, NewJob, Recipe, Standing, StoredResult, Tombstone};
pub use people::{Person, Quota, Usage};
pub use queue::{Claimed, Ending, Finish, Held, Lease, NewLine, Progress, Report, Run, RunLimit};
pub use room::{Full, Room};
pub use sessions::{Login, NewSession, Session};
pub use shares::Share;
pub use sweep::TOO_LONG;
pub use tokens::{ApiToken, NewToken};
pub use workers::{Beat, Depth, Worker, WorkerId};

/// Connections to Postgres; a job's work never holds one.
const POSTGRES_CONNECTIONS: u32 = 16;
/// Readers of SQLite, which write-ahead logging lets run beside the one writer.
const SQLITE_READERS: u32 = 4;
/// How long a connection is waited for.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest statement of Postgres: none of ours needs more than a moment.
const STATEMENT_TIMEOUT: &str = "60s";
/// Key of the Postgres advisory lock that lets one replica migrate at a time.
const MIGRATION_LOCK: i64 = 0x5349_4445_5245_414C;

/// Which SQL the database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The embedded default.
    Sqlite,
    /// Shared by replicas.
    Postgres,
}

/// Why the database did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL is not one of a database that is known.
    #[error("database URL: {0}")]
    Url(String),
    /// A server that cannot be used from the start.
    #[error("database at {place}: {why}")]
    Unreachable {
        /// Host and port.
        place: String,
        /// What happened.
        why: String,
    },
    /// No answer, or a refusal.
    #[error("database: {0}")]
    Database(#[from] DbErr),
    /// A row that this version cannot read.
    #[error("database row: {0}")]
    Corrupt(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::Database(DbErr::Conn(sea_orm::RuntimeErr::SqlxError(error.into())))
    }
}

/// The lease on a job is no longer held: another worker has it, or it has ended. Nothing more is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease on the job is lost")]
pub struct LeaseLost;

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    dialect: Dialect,
    read: DatabaseConnection,
    write: DatabaseConnection,
    /// What everything is read and written through, if it is to happen at once or not at all.
    transaction: Option<Arc<DatabaseTransaction>>,
    url: String,
}

/// The connections to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Those with a statement or a transaction.
    pub used: u64,
    /// Those without.
    pub idle: u64,
    /// How many there may be; who needs one more waits.
    pub most: u64,
}

impl Connections {
    fn of<D: sqlx::Database>(pool: &sqlx::Pool<D>) -> Self {
        let idle = pool.num_idle() as u64;
        Connections {
            // They come and go between the two questions.
            used: u64::from(pool.size()).saturating_sub(idle),
            idle,
            most: u64::from(pool.options().get_max_connections()),
        }
    }
}

/// The database in a transaction: all that is written through it happens when it is committed, or not at all. It holds
/// a connection, on SQLite the only one that writes: nothing else is to be waited for meanwhile.
#[derive(Debug)]
pub struct Transaction {
    store: Store,
    transaction: Arc<DatabaseTransaction>,
}

impl Deref for Transaction {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Transaction {
    /// Makes it so.
    pub async fn commit(self) -> Result<(), StoreError> {
        drop(self.store);
        match Arc::try_unwrap(self.transaction) {
            Ok(transaction) => Ok(transaction.commit().await?),
            Err(_) => Err(StoreError::Corrupt("a transaction that is still used".into())),
        }
    }
}

impl Store {
    /// Opens `sqlite://PATH` (made if missing) or `postgres://…`, which has to answer now. The schema is `migrate`'s.
    pub async fn open(url: &str) -> Result<Store, StoreError> {
        if url.starts_with("sqlite:") {
            let write = sqlite_pool(url, 1).await?;
            let read = sqlite_pool(url, SQLITE_READERS).await?;
            Ok(Store {
                dialect: Dialect::Sqlite,
                read,
                write,
                transaction: None,
                url: url.into(),
            })
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let pool = postgres_pool(url, POSTGRES_CONNECTIONS, STATEMENT_TIMEOUT).await?;
            Ok(Store {
                dialect: Dialect::Postgres,
                read: pool.clone(),
                write: pool,
                transaction: None,
                url: url.into(),
            })
        } else {
            Err(StoreError::Url(
                "expected sqlite://PATH or postgres://USER@HOST/DATABASE".into(),
            ))
        }
    }

    /// Brings the schema up to date, wholly or not at all. Replicas that start together take turns.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        // A connection of its own: a pooled one may hold a stale schema of SQLite, and steps may take their time.
        let connection = match self.dialect {
            Dialect::Sqlite => sqlite_pool(&self.url, 1).await?,
            Dialect::Postgres => postgres_pool(&self.url, 1, "0").await?,
        };
        let migrated = self.migrate_over(&connection).await;
        connection.close().await?;
        migrated
    }

    async fn migrate_over(&self, connection: &DatabaseConnection) -> Result<(), StoreError> {
        let transaction = begin(connection).await?;
        if self.dialect == Dialect::Postgres {
            transaction
                .execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
                .await?;
        }
        migration::Migrator::up(&transaction, None).await?;
        Ok(transaction.commit().await?)
    }

    /// Names of the migrations that have not been applied; writes nothing.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        let pending = migration::Migrator::get_pending_migrations_read_only(&self.reader()).await?;
        Ok(pending
            .iter()
            .map(|migration| migration.name().to_owned())
            .collect())
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        Ok(self.read.ping().await?)
    }

    /// The connections of this process, as they are now.
    pub fn connections(&self) -> Connections {
        match self.dialect {
            Dialect::Postgres => Connections::of(self.write.get_postgres_connection_pool()),
            Dialect::Sqlite => {
                let read = Connections::of(self.read.get_sqlite_connection_pool());
                let write = Connections::of(self.write.get_sqlite_connection_pool());
                Connections {
                    used: read.used + write.used,
                    idle: read.idle + write.idle,
                    most: read.most + write.most,
                }
            }
        }
    }

    /// Ends every connection, once its statement is done.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.read.close_by_ref().await?;
        Ok(self.write.close_by_ref().await?)
    }

    /// Which SQL it speaks.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The URL that it was opened with, credentials included: for the listener's own connection.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn backend(&self) -> DbBackend {
        match self.dialect {
            Dialect::Sqlite => DbBackend::Sqlite,
            Dialect::Postgres => DbBackend::Postgres,
        }
    }

    /// The statement of this dialect with its values; both number their placeholders `$1`, `$2`…
    fn statement(&self, sql: Sql, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.backend(), sql.of(self.dialect), values)
    }

    /// Rows of a statement that only reads: on SQLite beside the writer.
    async fn select(
        &self,
        sql: Sql,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<QueryResult>, StoreError> {
        Ok(self.reader().query_all_raw(self.statement(sql, values)).await?)
    }

    /// Rows that a statement which writes gives back.
    async fn rows(
        &self,
        sql: Sql,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<QueryResult>, StoreError> {
        Ok(self.writer().query_all_raw(self.statement(sql, values)).await?)
    }

    async fn execute(&self, sql: Sql, values: impl IntoIterator<Item = Value>) -> Result<u64, StoreError> {
        Ok(self
            .writer()
            .execute_raw(self.statement(sql, values))
            .await?
            .rows_affected())
    }

    async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        begin(&self.writer()).await
    }

    /// Begins a transaction.
    pub async fn transaction(&self) -> Result<Transaction, StoreError> {
        let transaction = Arc::new(self.begin().await?);
        Ok(Transaction {
            store: Store {
                transaction: Some(Arc::clone(&transaction)),
                ..self.clone()
            },
            transaction,
        })
    }

    fn reader(&self) -> DatabaseExecutor<'_> {
        self.through(&self.read)
    }

    fn writer(&self) -> DatabaseExecutor<'_> {
        self.through(&self.write)
    }

    fn through<'a>(&'a self, pool: &'a DatabaseConnection) -> DatabaseExecutor<'a> {
        match &self.transaction {
            Some(transaction) => DatabaseExecutor::Transaction(transaction),
            None => DatabaseExecutor::Connection(pool),
        }
    }
}

/// A transaction that takes SQLite's write lock at once: one that reads first and writes later could fail.
async fn begin(
    connection: &impl TransactionTrait<Transaction = DatabaseTransaction>,
) -> Result<DatabaseTransaction, StoreError> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    Ok(connection.begin_with_options(options).await?)
}

/// A statement in both dialects, with words in braces for what they never say alike.
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    /// For SQLite.
    pub sqlite: &'static str,
    /// For Postgres.
    pub postgres: &'static str,
}

/// What the words in braces stand for. Postgres's `statement_timestamp` is one value in a statement, so that an index
/// can be searched for it.
const WORDS: [(&str, Sql); 13] = [
    (
        "{now}",
        Sql {
            sqlite: "CAST(round(unixepoch('subsec') * 1000) AS INTEGER)",
            postgres: "(extract(epoch from statement_timestamp()) * 1000)::bigint",
        },
    ),
    (
        "{least}",
        Sql {
            sqlite: "min",
            postgres: "least",
        },
    ),
    (
        "{greatest}",
        Sql {
            sqlite: "max",
            postgres: "greatest",
        },
    ),
    // `FINISH`'s alone: the run goes back to the queue.
    (
        "{again}",
        Sql::both("(f.back AND job.attempt - f.returned < job.max_attempts)"),
    ),
    // The ids in the JSON array `$1`.
    (
        "{ids}",
        Sql {
            sqlite: "(SELECT unhex(replace(value, '-', '')) FROM json_each($1))",
            postgres: "(SELECT value::uuid FROM jsonb_array_elements_text($1::jsonb))",
        },
    ),
    // What is read of a table's row, never `*`: Postgres refuses a statement that a connection has prepared once a
    // column comes to what it gives, and the next release adds columns while this one runs.
    ("{job}", Sql::both(entity::job::COLUMNS)),
    ("{job_result}", Sql::both(entity::job_result::COLUMNS)),
    ("{person}", Sql::both(people::COLUMNS)),
    ("{session}", Sql::both(sessions::COLUMNS)),
    ("{api_token}", Sql::both(tokens::COLUMNS)),
    ("{share}", Sql::both(shares::COLUMNS)),
    ("{audit}", Sql::both(audit::COLUMNS)),
    ("{dashboard}", Sql::both(dashboards::COLUMNS)),
];

impl Sql {
    /// A statement that both dialects take.
    pub const fn both(text: &'static str) -> Self {
        Sql {
            sqlite: text,
            postgres: text,
        }
    }

    /// The text of one dialect.
    pub fn of(self, dialect: Dialect) -> String {
        let pick = |sql: Sql| match dialect {
            Dialect::Sqlite => sql.sqlite,
            Dialect::Postgres => sql.postgres,
        };
        WORDS
            .into_iter()
            .fold(pick(self).to_owned(), |text, (word, meaning)| {
                if text.contains(word) {
                    text.replace(word, pick(meaning))
                } else {
                    text
                }
            })
    }
}

async fn sqlite_pool(url: &str, connections: u32) -> Result<DatabaseConnection, StoreError> {
    let options = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A power cut must not lose a job that was answered for.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10));
    let pool = SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

async fn postgres_pool(url: &str, connections: u32, timeout: &str) -> Result<DatabaseConnection, StoreError> {
    let options = PgConnectOptions::from_str(url)?
        .application_name("sidereal")
        // A forgotten transaction would keep dead rows of the queue from being cleared.
        .options([
            ("statement_timeout", timeout),
            ("idle_in_transaction_session_timeout", timeout),
            // It takes longer than any of our statements, and its guesses of what they cost are far too high.
            ("jit", "off"),
        ]);
    reach::reach(&options).await?;
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // The test costs a round trip per statement; a dead connection fails its statement and is dropped.
        .test_before_acquire(false)
        .connect_lazy_with(options);
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}
