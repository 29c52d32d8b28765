//! What the tests stand on: the real server as a child process over either back end, a client, the IVOA's schemas,
//! Python's astronomers' packages to compare with; the real Keycloak, a browser to log in with, and an issuer that
//! misbehaves where Keycloak would not; a store of images that does; a
//! stand-in for LTD Keeper; a clone to deploy from, with tools that only note how they are called.

mod browser;
mod documents;
mod html;
mod images;
mod issuer;
mod keeper;
mod keycloak;
mod oracle;
mod postgres;
mod process;
mod site;
mod workshop;

pub use browser::Browser;
pub use html::Html;
pub use images::{Images, Trouble};
pub use issuer::{Issuer, Key, now, parts};
pub use keeper::{Answer, Keeper};
pub use keycloak::Realm;
pub use oracle::oracle;
pub use postgres::Database;
pub use process::{SIDEREAL, fault, free_address, named, program, said};
pub use site::{Backend, Reply, Site, execute, rewrite};
pub use workshop::{DIGEST, Workshop};

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
