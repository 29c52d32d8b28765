//! The logins that this person has at servers, in `sidereal/tokens.json` below `$XDG_CONFIG_HOME` or `~/.config`: for
//! nobody else to read, replaced as a whole, and renewed by one command at a time.
//!
//! Calls `auth`'s device client, and gives `client` its tokens.

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use super::report;
use crate::{
    auth::{
        ProviderError,
        device::{self, PublicClient},
    },
    client::{ClientError, Login},
    settings::environment,
};

/// An access token is renewed that ends sooner than this.
const SOON: Duration = Duration::from_secs(30);
/// Longest life that is believed of an access token.
const LONGEST: Duration = Duration::from_hours(24);
/// Bits of a mode that let others in.
const OTHERS: u32 = 0o077;

/// A login that cannot be renewed any more.
#[derive(Debug, thiserror::Error)]
#[error("the login at {0} is over: `sidereal login --server {0}` begins a new one")]
pub struct LoginOver(pub String);

/// A file of ours that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", .path.display())]
pub struct FileFault {
    path: PathBuf,
    source: io::Error,
}

/// Why there is no token to show.
#[derive(Debug, thiserror::Error)]
enum NoToken {
    #[error("{0}")]
    File(#[from] FileFault),
    #[error("{0}")]
    Over(#[from] LoginOver),
    #[error("{0}")]
    Provider(#[from] ProviderError),
}

/// Where logins are kept.
#[derive(Debug, Clone)]
pub struct Tokens {
    folder: PathBuf,
}

/// A login at a server.
#[derive(Clone, Serialize, Deserialize)]
pub struct Stored {
    /// The identity provider.
    pub issuer: Url,
    /// The client that has logged in there.
    pub client: String,
    access: String,
    refresh: Option<String>,
    /// End of the access token, in seconds since 1970 by this machine's clock.
    expires: u64,
}

/// The file.
#[derive(Default, Serialize, Deserialize)]
struct Logins {
    /// By the server's base URL.
    servers: BTreeMap<String, Stored>,
}

impl Stored {
    /// A login that has just been given or renewed.
    pub fn new(issuer: Url, client: String, login: &device::Login) -> Stored {
        Stored {
            issuer,
            client,
            access: login.access.expose_secret().to_owned(),
            refresh: login
                .refresh
                .as_ref()
                .map(|token| token.expose_secret().to_owned()),
            expires: now() + login.expires_in.min(LONGEST).as_secs(),
        }
    }

    /// What renews it.
    pub fn refresh(&self) -> Option<SecretString> {
        self.refresh.clone().map(SecretString::from)
    }

    fn lives(&self, longer_than: Duration) -> bool {
        self.expires > now() + longer_than.as_secs()
    }
}

/// How a server is named in the file.
pub fn name_of(server: &Url) -> String {
    server.as_str().trim_end_matches('/').to_owned()
}

impl Tokens {
    /// Those of this person; none if it has no home.
    pub fn mine() -> Option<Tokens> {
        let folder = |wanted: &str| {
            environment()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| PathBuf::from(value))
                .filter(|path| path.is_absolute())
        };
        let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?;
        Some(Tokens {
            folder: config.join("sidereal"),
        })
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.folder.join("tokens.json")
    }

    /// The login at a server.
    pub fn get(&self, server: &str) -> Result<Option<Stored>, FileFault> {
        Ok(self.read()?.servers.remove(server))
    }

    /// The other servers with a login by this issuer; none if this server has one, which has been agreed to.
    pub fn others(&self, server: &str, issuer: &Url) -> Result<Vec<String>, FileFault> {
        let same = |url: &Url| url.as_str().trim_end_matches('/') == issuer.as_str().trim_end_matches('/');
        let mut logins = self.read()?.servers;
        logins.retain(|_, login| same(&login.issuer));
        if logins.contains_key(server) {
            return Ok(Vec::new());
        }
        Ok(logins.into_keys().collect())
    }

    /// Keeps a login instead of the one before.
    pub async fn put(&self, server: &str, login: Stored) -> Result<(), FileFault> {
        let _lock = self.lock().await?;
        self.change(|logins| logins.insert(server.to_owned(), login))?;
        Ok(())
    }

    /// Forgets a login, and gives it.
    pub async fn take(&self, server: &str) -> Result<Option<Stored>, FileFault> {
        if self.get(server)?.is_none() {
            return Ok(None);
        }
        let _lock = self.lock().await?;
        self.change(|logins| logins.remove(server))
    }

    /// An access token for a server that lives for 30 s more, renewed if need be; none without a login.
    async fn access(&self, server: &str) -> Result<Option<SecretString>, NoToken> {
        match self.get(server)? {
            None => return Ok(None),
            Some(login) if login.lives(SOON) => return Ok(Some(login.access.into())),
            Some(_) => {}
        }
        // Of several commands one renews it, the others find it renewed: some providers take a refresh token once.
        let _lock = self.lock().await?;
        let Some(login) = self.get(server)? else {
            return Ok(None);
        };
        if login.lives(SOON) {
            return Ok(Some(login.access.into()));
        }
        match renew(&login).await {
            Ok(Some(renewed)) => {
                let access = renewed.access.clone().into();
                self.change(|logins| logins.insert(server.to_owned(), renewed))?;
                Ok(Some(access))
            }
            Ok(None) | Err(ProviderError::Refused { .. }) => {
                self.change(|logins| logins.remove(server))?;
                Err(LoginOver(server.to_owned()).into())
            }
            // It may be back before the token ends.
            Err(ProviderError::Unavailable(_)) if login.lives(Duration::ZERO) => {
                Ok(Some(login.access.into()))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self) -> Result<Logins, FileFault> {
        let path = self.path();
        let failed = |source| FileFault {
            path: path.clone(),
            source,
        };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Logins::default()),
            Err(error) => return Err(failed(error)),
        };
        let mode = file.metadata().map_err(failed)?.permissions().mode();
        if mode & OTHERS != 0 {
            file.set_permissions(Permissions::from_mode(0o600))
                .map_err(failed)?;
            report(
                Some(&path.display().to_string()),
                &anyhow::anyhow!(
                    "others could read it, which is mended; if someone may have, `sidereal logout` ends the logins"
                ),
            );
        }
        serde_json::from_reader(io::BufReader::new(file))
            .map_err(|error| failed(io::Error::other(format!("is no file of logins: {error}"))))
    }

    /// Changes the file; the lock is held.
    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Stored>) -> T) -> Result<T, FileFault> {
        let mut logins = self.read()?;
        let done = change(&mut logins.servers);
        let path = self.path();
        let part = self.folder.join(format!(".tokens-{}", Uuid::now_v7()));
        let written = write(&part, &logins).and_then(|()| std::fs::rename(&part, &path));
        if written.is_err() {
            // It may not even have been made.
            let _ = std::fs::remove_file(&part);
        }
        written.map_err(|source| FileFault { path, source })?;
        Ok(done)
    }

    /// Makes the folder if need be, and waits until no other command changes the file. The lock ends with the file.
    async fn lock(&self) -> Result<File, FileFault> {
        let folder = self.folder.clone();
        let locked = tokio::task::spawn_blocking(move || {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700).create(&folder)?;
            let mode = std::fs::metadata(&folder)?.permissions().mode();
            if mode & OTHERS != 0 {
                std::fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
            }
            let lock = private(
                &folder.join("tokens.lock"),
                OpenOptions::new().create(true).write(true),
            )?;
            lock.lock()?;
            Ok(lock)
        });
        let locked = locked.await.map_err(io::Error::other).flatten();
        locked.map_err(|source| FileFault {
            path: self.folder.clone(),
            source,
        })
    }
}

/// Asks the provider for the next access token; none if nothing is there to ask with.
async fn renew(login: &Stored) -> Result<Option<Stored>, ProviderError> {
    let Some(refresh) = login.refresh() else {
        return Ok(None);
    };
    let client = PublicClient::discover(&login.issuer, &login.client).await?;
    let renewed = client.refresh(&refresh).await?;
    Ok(Some(Stored::new(
        login.issuer.clone(),
        login.client.clone(),
        &renewed,
    )))
}

fn write(path: &Path, logins: &Logins) -> io::Result<()> {
    let mut file = private(path, OpenOptions::new().create_new(true).write(true))?;
    serde_json::to_writer_pretty(&mut file, logins)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// A file that only this person can read, from its first moment on.
fn private(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.mode(0o600).open(path)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// The login that is kept for a server.
pub struct Kept {
    tokens: Tokens,
    server: String,
}

impl Kept {
    /// That for the server at this base URL.
    pub fn new(tokens: Tokens, server: &Url) -> Kept {
        Kept {
            tokens,
            server: name_of(server),
        }
    }
}

impl Login for Kept {
    fn token(&self) -> BoxFuture<'_, Result<Option<SecretString>, ClientError>> {
        Box::pin(async {
            self.tokens
                .access(&self.server)
                .await
                .map_err(|error| ClientError::Login {
                    passing: matches!(error, NoToken::Provider(ProviderError::Unavailable(_))),
                    source: Box::new(error),
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "https://sky.example.org/sidereal";

    fn tokens() -> (tempfile::TempDir, Tokens) {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("config/sidereal");
        (home, Tokens { folder })
    }

    fn stored(access: &str, seconds: u64) -> Stored {
        let login = device::Login {
            access: access.into(),
            refresh: None,
            expires_in: Duration::from_secs(seconds),
        };
        Stored::new(
            "https://login.example.org/".parse().unwrap(),
            "cli".into(),
            &login,
        )
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn only_their_owner_can_read_them() {
        let (_home, tokens) = tokens();
        assert!(tokens.get(SERVER).unwrap().is_none());
        tokens.put(SERVER, stored("one", 300)).await.unwrap();
        assert_eq!((mode(&tokens.path()), mode(&tokens.folder)), (0o600, 0o700));

        std::fs::set_permissions(tokens.path(), Permissions::from_mode(0o644)).unwrap();
        std::fs::set_permissions(&tokens.folder, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(tokens.get(SERVER).unwrap().unwrap().access, "one");
        assert_eq!(mode(&tokens.path()), 0o600);
        tokens
            .put("https://other.example.org", stored("two", 300))
            .await
            .unwrap();
        assert_eq!((mode(&tokens.path()), mode(&tokens.folder)), (0o600, 0o700));

        assert_eq!(tokens.take(SERVER).await.unwrap().unwrap().access, "one");
        assert!(tokens.take(SERVER).await.unwrap().is_none());
        assert!(tokens.get("https://other.example.org").unwrap().is_some());
        let left = std::fs::read_dir(&tokens.folder).unwrap().count();
        assert_eq!(left, 2, "the file and its lock");
    }

    #[tokio::test]
    async fn several_at_once_lose_nothing() {
        let (_home, tokens) = tokens();
        let names: Vec<String> = (0..16).map(|n| format!("https://{n}.example.org")).collect();
        let puts = names.iter().map(|name| tokens.put(name, stored(name, 300)));
        for put in futures::future::join_all(puts).await {
            put.unwrap();
        }
        for name in &names {
            assert_eq!(tokens.get(name).unwrap().unwrap().access, *name);
        }
    }

    #[tokio::test]
    async fn a_login_that_cannot_be_renewed_is_over() {
        let (_home, tokens) = tokens();
        tokens.put(SERVER, stored("long", 300)).await.unwrap();
        let access = tokens.access(SERVER).await.unwrap().unwrap();
        assert_eq!(access.expose_secret(), "long");
        tokens.put(SERVER, stored("short", 20)).await.unwrap();
        let error = tokens.access(SERVER).await.unwrap_err();
        assert!(matches!(error, NoToken::Over(_)), "{error}");
        assert!(tokens.access(SERVER).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn others_of_an_issuer_are_told_until_a_server_is_one_of_them() {
        let (_home, tokens) = tokens();
        let others = |server: &str, issuer: &str| tokens.others(server, &issuer.parse().unwrap()).unwrap();
        let issuer = "https://login.example.org";
        assert_eq!(others(SERVER, issuer), [""; 0]);
        tokens
            .put("https://a.example.org", stored("a", 300))
            .await
            .unwrap();
        tokens
            .put("https://b.example.org", stored("b", 300))
            .await
            .unwrap();
        for issuer in [
            issuer,
            "https://login.example.org/",
            "https://LOGIN.example.org:443//",
        ] {
            let both = ["https://a.example.org", "https://b.example.org"];
            assert_eq!(others(SERVER, issuer), both);
        }
        assert_eq!(others(SERVER, "https://login.example.org/realms/a"), [""; 0]);
        assert_eq!(others("https://a.example.org", issuer), [""; 0]);
    }

    #[test]
    fn a_file_of_another_kind_is_left_alone() {
        let (_home, tokens) = tokens();
        DirBuilder::new().recursive(true).create(&tokens.folder).unwrap();
        std::fs::write(tokens.path(), "[]").unwrap();
        let error = tokens.get(SERVER).err().unwrap().to_string();
        assert!(error.contains("tokens.json"), "{error}");
    }
}
