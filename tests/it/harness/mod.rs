//! What the tests stand on: the real server as a child process over either back end, a client, the IVOA's schemas, and
//! Python's astronomers' packages to compare with.

mod documents;
mod oracle;
mod postgres;
mod process;
mod site;

pub use oracle::oracle;
pub use postgres::Database;
pub use site::{Backend, Reply, Site};

/// Makes a test on each back end of every `async fn name(backend: Backend)` named.
macro_rules! on_both_back_ends {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test]
            async fn embedded() {
                super::$name(crate::harness::Backend::Embedded).await;
            }

            #[tokio::test]
            async fn cluster() {
                super::$name(crate::harness::Backend::Cluster).await;
            }
        }
    )+};
}
pub(crate) use on_both_back_ends;
