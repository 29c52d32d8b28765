//! Settings: `sidereal.toml`, then `SIDEREAL_…` in the environment (`__` between levels), then flags.
//!
//! Calls nothing of this crate. The only place that reads the environment.

use std::{
    collections::BTreeMap,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use config::{Config, Environment, File, FileFormat};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};
use url::{Host, Url};

/// Job types that this version can serve.
pub const SERVICES: [&str; 3] = ["cutout", "dashboard", "echo"];

/// Variables with our prefix that are no settings: they belong to the command line.
const NOT_SETTINGS: [&str; 3] = ["SIDEREAL_CONFIG", "SIDEREAL_SERVER", "SIDEREAL_TOKEN"];
/// Prefix of the variables that the tests read.
const TEST_PREFIX: &str = "SIDEREAL_TEST_";
/// The settings file that is read if it is there and no other is named.
const DEFAULT_FILE: &str = "sidereal.toml";

/// Everything that can be set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Public listener.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// Listener of probes and metrics.
    #[serde(deserialize_with = "some_address")]
    pub internal_listen: Option<SocketAddr>,
    /// Base of every absolute URL; `http://` and the listener by default.
    pub public_url: Option<Url>,
    /// Home of the embedded database and results.
    pub data_dir: PathBuf,
    /// `sqlite://…` or `postgres://…`; read it by [`Settings::database_url`].
    pub database_url: Option<SecretString>,
    /// `file://…` or `s3://bucket/prefix`; read it by [`Settings::results_url`].
    pub results_url: Option<String>,
    /// Which half of the server runs.
    pub role: Role,
    /// Jobs run at once; read it by [`Settings::workers`].
    pub workers: Option<usize>,
    /// Names of the job types served.
    #[serde(deserialize_with = "list")]
    pub services: Vec<String>,
    /// Largest request body in bytes.
    #[serde(deserialize_with = "bytes")]
    pub max_body: u64,
    /// How many proxies stand before the public listener: so many entries of `X-Forwarded-For`, from its end, are
    /// believed.
    pub trusted_proxies: usize,
    /// Whether pages of any origin may read what clients of the Virtual Observatory read; read it by
    /// [`Settings::cross_origin`].
    pub cross_origin: Option<bool>,
    /// Connections of one address to the public listener, 0 for any number; read it by
    /// [`Settings::connections_per_address`].
    pub connections_per_address: usize,
    /// How long requests are answered after the server has been told to end, in seconds: whoever sends them learns of its
    /// end a little later.
    #[serde(deserialize_with = "seconds")]
    pub shutdown_delay: Duration,
    /// Folder of the built web app.
    pub web_app_dir: PathBuf,
    /// Development server of the web app, on this machine; `/app/` is what it makes instead of the built one.
    pub web_app_dev_url: Option<Url>,
    /// Who may do what.
    pub auth: AuthSettings,
    /// What one person may have at once in mode `oidc`, unless an administrator has said otherwise.
    pub quota: QuotaSettings,
    /// Bounds of cutout jobs.
    pub cutout: CutoutSettings,
    /// Dashboards of documentation.
    pub dashboard: DashboardSettings,
    /// Times of the job engine.
    pub engine: EngineSettings,
    /// What is written to standard error.
    pub log: LogSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            internal_listen: None,
            public_url: None,
            data_dir: "data".into(),
            database_url: None,
            results_url: None,
            role: Role::All,
            workers: None,
            services: SERVICES.map(String::from).into(),
            max_body: 64 << 20,
            trusted_proxies: 0,
            cross_origin: None,
            connections_per_address: 1_000,
            shutdown_delay: Duration::ZERO,
            web_app_dir: "web-app/dist".into(),
            web_app_dev_url: None,
            auth: AuthSettings::default(),
            quota: QuotaSettings::default(),
            cutout: CutoutSettings::default(),
            dashboard: DashboardSettings::default(),
            engine: EngineSettings::default(),
            log: LogSettings::default(),
        }
    }
}

/// Which half of the server a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Role {
    /// Both.
    All,
    /// Answers requests and runs no job.
    Api,
    /// Runs jobs; its listener has the probes only.
    Worker,
}

impl TryFrom<String> for Role {
    type Error = String;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        match word.as_str() {
            "all" => Ok(Role::All),
            "api" => Ok(Role::Api),
            "worker" => Ok(Role::Worker),
            _ => Err(format!("{word:?} is not one of all, api, worker")),
        }
    }
}

impl Role {
    /// Whether requests of clients are answered.
    pub fn serves(self) -> bool {
        self != Role::Worker
    }

    /// Whether jobs are run.
    pub fn works(self) -> bool {
        self != Role::Api
    }
}

/// Section `auth`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSettings {
    /// Where callers come from.
    pub mode: AuthMode,
    /// Lets mode `local` listen beyond loopback.
    pub allow_non_loopback: bool,
    /// The provider, as tokens name it (`iss`): for Keycloak `https://HOST/realms/REALM`.
    pub issuer: Option<Url>,
    /// This server as a client of the provider, for logins in a browser.
    pub client_id: String,
    /// Its secret; what is stored of logins is encrypted with a key made from it.
    pub client_secret: Option<SecretString>,
    /// Whom access tokens must be for (`aud`): the client whose roles `user`, `operator` and `admin` count.
    pub audience: String,
    /// The public client of `sidereal login`.
    pub cli_client_id: String,
    /// Where this server reaches the issuer, if not at its public URL.
    pub internal_url: Option<Url>,
    /// A login in a browser ends when unused for this long.
    #[serde(deserialize_with = "seconds")]
    pub session_idle: Duration,
    /// A login in a browser ends after this long in any case.
    #[serde(deserialize_with = "seconds")]
    pub session_lifetime: Duration,
}

impl Default for AuthSettings {
    fn default() -> Self {
        AuthSettings {
            mode: AuthMode::Local,
            allow_non_loopback: false,
            issuer: None,
            client_id: "sidereal-web".into(),
            client_secret: None,
            audience: "sidereal-api".into(),
            cli_client_id: "sidereal-cli".into(),
            internal_url: None,
            session_idle: Duration::from_hours(8),
            session_lifetime: Duration::from_hours(7 * 24),
        }
    }
}

/// Section `quota`: what one person may have at once; 0 means any number.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaSettings {
    /// Jobs in EXECUTING.
    pub running: u64,
    /// Jobs in QUEUED or HELD.
    pub queued: u64,
    /// Jobs in PENDING: made, and not run.
    pub pending: u64,
    /// Positions of one cutout job.
    pub positions: u64,
    /// Bytes of stored results and of files that were sent.
    #[serde(deserialize_with = "bytes")]
    pub stored_bytes: u64,
    /// Requests, each second.
    pub requests_per_second: u64,
}

impl Default for QuotaSettings {
    fn default() -> Self {
        QuotaSettings {
            running: 8,
            queued: 10_000,
            pending: 1_000,
            positions: 0,
            stored_bytes: 100 << 30,
            requests_per_second: 50,
        }
    }
}

/// Where callers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum AuthMode {
    /// Every request is the one user `local`, who holds all roles.
    Local,
    /// An `OpenID` Connect provider.
    Oidc,
}

impl TryFrom<String> for AuthMode {
    type Error = String;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        match word.as_str() {
            "local" => Ok(AuthMode::Local),
            "oidc" => Ok(AuthMode::Oidc),
            _ => Err(format!("{word:?} is not one of local, oidc")),
        }
    }
}

/// Section `cutout`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CutoutSettings {
    /// Bytes that all cutouts may hold at once. A plain cutout that does not fit is made strip by strip; one that is padded,
    /// drawn or compressed is refused.
    #[serde(deserialize_with = "bytes")]
    pub memory: u64,
    /// Most rows of a list of positions.
    pub max_positions: usize,
    /// IVOID that the dataset identifiers of images begin with, `ivo://AUTHORITY/NAME`: whoever is in the registry of the
    /// Virtual Observatory has one.
    pub publisher: String,
    /// Images whose headers and tables of tiles are kept from job to job.
    pub open_files: usize,
    /// Bytes that these may take.
    #[serde(deserialize_with = "bytes")]
    pub open_files_memory: u64,
    /// Bytes on disk (TMPDIR) for images that are compressed as a whole by gzip, and are inflated while they are open. One
    /// of half of it fits beside those that are open but not in use.
    #[serde(deserialize_with = "bytes")]
    pub scratch: u64,
    /// What the headers of a collection's images are read by, if not by the defaults: `[cutout.keywords.NAME]`. An
    /// ingest after a change reads all headers again.
    pub keywords: BTreeMap<String, KeywordSettings>,
}

impl CutoutSettings {
    /// How the images of a collection are described. Letters of its name match in any case.
    pub fn keywords_of(&self, collection: &str) -> KeywordSettings {
        self.keywords
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(collection))
            .map(|(_, keywords)| keywords.clone())
            .unwrap_or_default()
    }
}

/// Section `cutout.keywords.NAME`: keywords of headers by what they tell, of which the first that has a value counts;
/// in the primary header first, then in that of the first image. The defaults are SPT-3G's, and the standard's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeywordSettings {
    /// Band or filter.
    #[serde(deserialize_with = "list")]
    pub band: Vec<String>,
    /// Observation, or tag of a coadd.
    #[serde(deserialize_with = "list")]
    pub obs: Vec<String>,
    /// Type of product.
    #[serde(rename = "type", deserialize_with = "list")]
    pub product_type: Vec<String>,
    /// Field.
    #[serde(deserialize_with = "list")]
    pub field: Vec<String>,
    /// Object that was looked at.
    #[serde(deserialize_with = "list")]
    pub target: Vec<String>,
    /// Telescope.
    #[serde(deserialize_with = "list")]
    pub facility: Vec<String>,
    /// Instrument.
    #[serde(deserialize_with = "list")]
    pub instrument: Vec<String>,
    /// When the observation began: ISO 8601, `DD/MM/YY` of the 20th century, MJD or JD, in the scale that TIMESYS names
    /// (UTC if there is none). One with its time of day comes before one that is a day alone, which is completed by
    /// TIME-OBS, UTC or UT.
    #[serde(deserialize_with = "list")]
    pub date_beg: Vec<String>,
    /// When it ended; likewise.
    #[serde(deserialize_with = "list")]
    pub date_end: Vec<String>,
    /// Its middle; likewise.
    #[serde(deserialize_with = "list")]
    pub date_avg: Vec<String>,
    /// Exposure, s.
    #[serde(deserialize_with = "list")]
    pub exposure: Vec<String>,
    /// Wavelengths (m) of bands, shortest and longest. Names that are a number with a unit, as 150GHz or 850um, need
    /// none.
    pub wavelengths: BTreeMap<String, [f64; 2]>,
    /// Short names of types, by the words that mean them in headers, and in names of files whose header has none.
    pub types: BTreeMap<String, String>,
    /// Words that begin the tags of coadds in names of files, as `yearly` does in `yearly_winter_2020`.
    #[serde(deserialize_with = "list")]
    pub coadds: Vec<String>,
    /// Level of calibration as `ObsCore` counts, 0 to 4; coadds have 3.
    pub calib_level: u8,
}

impl Default for KeywordSettings {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        KeywordSettings {
            band: words(&["BAND", "FILTER"]),
            obs: words(&["OBS-ID", "OBSID"]),
            product_type: words(&["FILETYPE"]),
            field: words(&["FIELD", "OBJECT"]),
            target: words(&["OBJECT"]),
            facility: words(&["TELESCOP"]),
            instrument: words(&["INSTRUME"]),
            date_beg: words(&["DATE-BEG", "MJD-BEG", "DATE-OBS", "MJD-OBS"]),
            date_end: words(&["DATE-END", "MJD-END"]),
            date_avg: words(&["DATE-AVG", "MJD-AVG"]),
            exposure: words(&["XPOSURE", "EXPTIME"]),
            wavelengths: BTreeMap::new(),
            types: [("passthrough", "psth"), ("filtered", "fltd")]
                .map(|(long, short)| (long.to_owned(), short.to_owned()))
                .into(),
            coadds: words(&["yearly"]),
            calib_level: 2,
        }
    }
}

impl Default for CutoutSettings {
    fn default() -> Self {
        CutoutSettings {
            memory: 512 << 20,
            max_positions: 100_000,
            publisher: "ivo://sidereal/cutout".into(),
            open_files: 1_000,
            open_files_memory: 64 << 20,
            scratch: 8 << 30,
            keywords: BTreeMap::new(),
        }
    }
}

/// Whether it is an IVOID without query and fragment (IVOA Identifiers 2.0 section 2.3).
fn is_ivoid(text: &str) -> bool {
    let Some((authority, path)) = text
        .strip_prefix("ivo://")
        .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
    else {
        return false;
    };
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&b);
    authority.len() >= 3
        && authority.starts_with(|first: char| first.is_ascii_alphanumeric())
        && authority.bytes().all(unreserved)
        && path.bytes().all(|b| unreserved(b) || b"/+=".contains(&b))
}

/// Section `dashboard`; times are decimal seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DashboardSettings {
    /// `[[dashboard.keepers]]`: whose products have dashboards. The first is the one that products are of which are named
    /// without their Keeper.
    pub keepers: Vec<KeeperSettings>,
    /// What a Keeper shows `POST /build` as the password of HTTP Basic, whatever its user name.
    pub build_secret: Option<SecretString>,
    /// Whether the internal listener has `POST /build` for everyone who reaches it.
    pub anonymous_build: bool,
    /// Whether everyone may read dashboards, or callers with a role only.
    pub public: bool,
    /// How long a product is left alone after a call before its dashboard is built: Keeper calls several times in a row.
    #[serde(deserialize_with = "seconds")]
    pub debounce: Duration,
    /// Longest time for an answer of a neighbour; for all that a Keeper is asked about one product four times that.
    #[serde(deserialize_with = "seconds")]
    pub timeout: Duration,
    /// Between two looks at all products of a Keeper, for what it has not called for; 0 never.
    #[serde(deserialize_with = "seconds")]
    pub sweep: Duration,
    /// What becomes of a product that has suddenly lost nine of ten editions, or its main one.
    pub shrink_guard: ShrinkGuard,
    /// What the keys of tickets are appended to.
    pub tickets_url: Option<Url>,
    /// What all the documentation is called, at the head of every page.
    pub title: Option<String>,
    /// The last words of every page.
    pub footer: Option<String>,
    /// File of the image at the head of every page: PNG, JPEG, WebP or SVG of at most 256 KiB.
    pub logo: Option<PathBuf>,
    /// Longest answer with all of a product, in bytes.
    #[serde(deserialize_with = "bytes")]
    pub max_bulk: u64,
    /// Longest list of URLs, in bytes.
    #[serde(deserialize_with = "bytes")]
    pub max_list: u64,
    /// Longest answer about one product, edition or build, in bytes.
    #[serde(deserialize_with = "bytes")]
    pub max_member: u64,
    /// Most editions of a product.
    pub max_editions: usize,
    /// Most builds of a product.
    pub max_builds: usize,
    /// The service of Fastly whose caches dashboards are purged from; none is purged without.
    pub fastly_service: Option<String>,
    /// Token that may purge it.
    pub fastly_key: Option<SecretString>,
    /// Fastly's API, if it is not at its own place.
    pub fastly_url: Option<Url>,
}

impl Default for DashboardSettings {
    fn default() -> Self {
        DashboardSettings {
            keepers: Vec::new(),
            build_secret: None,
            anonymous_build: false,
            public: true,
            debounce: Duration::from_secs(1),
            timeout: Duration::from_secs(30),
            sweep: Duration::from_hours(1),
            shrink_guard: ShrinkGuard::Warn,
            tickets_url: Url::parse("https://jira.lsstcorp.org/browse/").ok(),
            title: None,
            footer: None,
            logo: None,
            max_bulk: 64 << 20,
            max_list: 16 << 20,
            max_member: 256 << 10,
            max_editions: 20_000,
            max_builds: 100_000,
            fastly_service: None,
            fastly_key: None,
            fastly_url: None,
        }
    }
}

/// What becomes of a dashboard that would lose most of what it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShrinkGuard {
    /// It is published, and the job's report says so.
    Warn,
    /// Its pages stay as they are until a job with FORCE replaces them.
    Hold,
}

/// An entry of `[[dashboard.keepers]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeeperSettings {
    /// What it is called here: letters, digits, `-` and `_`.
    pub name: String,
    /// Where its API is asked.
    pub base_url: Url,
    /// What else it is known as in the URLs that it gives.
    #[serde(default)]
    pub public_urls: Vec<Url>,
    /// Folder of its dashboards below `/dashboards/`. Those of one Keeper need none; that of another then cannot be the
    /// name of a product.
    #[serde(default)]
    pub prefix: String,
    /// Token for its second API.
    #[serde(default)]
    pub token: Option<SecretString>,
    /// Organisation whose projects are read by its second API; by its first one without.
    #[serde(default)]
    pub organization: Option<String>,
    /// Whether it may have an address that is not the public network's.
    #[serde(default)]
    pub private_ok: bool,
}

/// Section `engine`; times are decimal seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSettings {
    /// Between two signs of life of a worker.
    #[serde(deserialize_with = "seconds")]
    pub heartbeat: Duration,
    /// A worker unheard for this long is dead and its jobs go to others.
    #[serde(deserialize_with = "seconds")]
    pub lease: Duration,
    /// Between two sweeps for lost workers, durations, destructions and orphans.
    #[serde(deserialize_with = "seconds")]
    pub sweep: Duration,
    /// What an aborted or draining job gets to stop by itself.
    #[serde(deserialize_with = "seconds")]
    pub grace: Duration,
    /// Age from which an object that no job names is removed.
    #[serde(deserialize_with = "seconds")]
    pub orphan_age: Duration,
    /// How often a job is begun before a lost worker or a transient error ends it.
    pub attempts: u32,
}

impl Default for EngineSettings {
    fn default() -> Self {
        EngineSettings {
            heartbeat: Duration::from_secs(5),
            lease: Duration::from_secs(20),
            sweep: Duration::from_secs(5),
            grace: Duration::from_secs(10),
            orphan_age: Duration::from_hours(1),
            attempts: 3,
        }
    }
}

/// Section `log`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// How a line looks.
    pub format: LogFormat,
    /// What is written: a level, or a list such as `info,sidereal::engine=debug`.
    pub level: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        LogSettings {
            format: LogFormat::Text,
            level: "info".into(),
        }
    }
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        match word.as_str() {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(format!("{word:?} is not one of text, json")),
        }
    }
}

/// Why there are no usable settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The settings file that was named is not there.
    #[error("there is no settings file {}", .0.display())]
    NoFile(PathBuf),
    /// The file or a variable cannot be read as settings; names the key.
    #[error("settings: {0}")]
    Unreadable(#[from] config::ConfigError),
    /// Each value can be read but they make no sense; see [`Settings::check`].
    #[error("settings: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nsettings: "))]
    Faults(Vec<Fault>),
}

/// A setting that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The setting, with `.` between levels.
    pub key: &'static str,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.message)
    }
}

/// The environment of this process, without variables that are no Unicode.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the environment is read"
)]
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

impl Settings {
    /// Reads `file` (or `./sidereal.toml` if it is there), then the `SIDEREAL_…` variables of `environment` (an empty
    /// one is as if unset), then `flags` (key with `.` between levels, value). An unknown key is an error.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[(&str, String)],
    ) -> Result<Settings, SettingsError> {
        let mut builder = Config::builder();
        match file {
            Some(file) if !file.is_file() => return Err(SettingsError::NoFile(file.into())),
            Some(file) => builder = builder.add_source(File::from(file).format(FileFormat::Toml)),
            None if Path::new(DEFAULT_FILE).is_file() => {
                builder = builder.add_source(File::new(DEFAULT_FILE, FileFormat::Toml));
            }
            None => {}
        }
        let variables = environment
            .into_iter()
            .filter(|(name, _)| !NOT_SETTINGS.contains(&name.as_str()) && !name.starts_with(TEST_PREFIX))
            .collect();
        builder = builder.add_source(
            Environment::with_prefix("SIDEREAL")
                .prefix_separator("_")
                .separator("__")
                .ignore_empty(true)
                .source(Some(variables)),
        );
        for (key, value) in flags {
            builder = builder.set_override(key, value.as_str())?;
        }
        Ok(builder.build()?.try_deserialize()?)
    }

    /// How many connections one address may have, if that is bounded: behind a proxy all have its address, and in mode
    /// `local` there is one user.
    pub fn connections_per_address(&self) -> Option<usize> {
        let bounded = self.trusted_proxies == 0 && self.auth.mode == AuthMode::Oidc;
        Some(self.connections_per_address).filter(|most| bounded && *most > 0)
    }

    /// Whether pages of any origin may read what clients of the Virtual Observatory read. In mode `local`, where whoever asks
    /// is let in, only if it is asked for: every page that the user visits could.
    pub fn cross_origin(&self) -> bool {
        self.cross_origin.unwrap_or(self.auth.mode != AuthMode::Local)
    }

    /// All that makes no sense, at once.
    pub fn check(&self) -> Result<(), SettingsError> {
        let mut faults = Vec::new();
        self.check_listeners(&mut faults);
        self.check_urls(&mut faults);
        self.check_services(&mut faults);
        self.check_bounds(&mut faults);
        self.dashboard.check(&mut faults);
        self.engine.check(&mut faults);
        if faults.is_empty() {
            Ok(())
        } else {
            Err(SettingsError::Faults(faults))
        }
    }

    fn check_listeners(&self, faults: &mut Vec<Fault>) {
        self.auth.check(faults);
        if self.auth.mode == AuthMode::Local && !self.auth.allow_non_loopback {
            let listeners = [
                ("listen", Some(self.listen)),
                ("internal_listen", self.internal_listen),
            ];
            for (key, listener) in listeners {
                if let Some(address) = listener.filter(|address| !address.ip().is_loopback()) {
                    faults.push(fault(
                        key,
                        format!(
                            "{address} is open to other machines, but in auth.mode local everyone who reaches it may do \
                             everything; listen on 127.0.0.1, or set auth.allow_non_loopback = true if only you can \
                             reach it"
                        ),
                    ));
                }
            }
        }
        if self.listen.port() != 0 && self.internal_listen == Some(self.listen) {
            faults.push(fault("internal_listen", "is the same address as listen"));
        }
    }

    fn check_urls(&self, faults: &mut Vec<Fault>) {
        let base = Url::parse(&self.public_base());
        if self.auth.mode == AuthMode::Oidc && base.is_ok_and(|url| !is_private(&url)) {
            faults.push(fault(
                "public_url",
                "must be https in auth.mode oidc, also if a proxy makes it so: who is in between could take sessions over",
            ));
        }
        if let Some(url) = &self.public_url
            && !is_plain(url)
        {
            faults.push(fault(
                "public_url",
                "must be http(s)://HOST[:PORT][/PATH], without user, ? or #",
            ));
        }
        let is_server_here =
            |url: &Url| url.scheme() == "http" && url.path() == "/" && is_plain(url) && is_private(url);
        if self
            .web_app_dev_url
            .as_ref()
            .is_some_and(|url| !is_server_here(url))
        {
            faults.push(fault(
                "web_app_dev_url",
                "must be http://HOST:PORT of this machine, such as http://127.0.0.1:5173: what it says is shown as ours",
            ));
        }
        let database = self
            .database_url
            .as_ref()
            .map_or("sqlite:", ExposeSecret::expose_secret);
        if !["sqlite:", "postgres:", "postgresql:"]
            .iter()
            .any(|scheme| database.starts_with(scheme))
        {
            faults.push(fault("database_url", "must begin with sqlite:// or postgres://"));
        }
        let results = self.results_url();
        match Url::parse(&results) {
            Ok(url) if !matches!(url.scheme(), "file" | "s3") => faults.push(fault(
                "results_url",
                "must be file:///FOLDER or s3://BUCKET/PREFIX",
            )),
            Ok(url) if !url.username().is_empty() || url.password().is_some() => faults.push(fault(
                "results_url",
                "must not carry credentials; they come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            )),
            Ok(_) => {}
            Err(error) => faults.push(fault("results_url", format!("is no URL: {error}"))),
        }
    }

    fn check_services(&self, faults: &mut Vec<Fault>) {
        let unknown: Vec<&str> = self
            .services
            .iter()
            .map(String::as_str)
            .filter(|name| !SERVICES.contains(name))
            .collect();
        if !unknown.is_empty() {
            faults.push(fault(
                "services",
                format!(
                    "{} not available in this version (there are {})",
                    unknown.join(", "),
                    SERVICES.join(", ")
                ),
            ));
        }
        if self.services.is_empty() {
            faults.push(fault("services", "is empty: nothing would be served"));
        }
    }

    fn check_bounds(&self, faults: &mut Vec<Fault>) {
        if self.workers == Some(0) {
            faults.push(fault(
                "workers",
                "is 0; for a process that runs no jobs set role = \"api\"",
            ));
        }
        if self.max_body < 1 << 10 {
            faults.push(fault("max_body", "is less than 1 KiB"));
        }
        if self.shutdown_delay > Duration::from_hours(1) {
            faults.push(fault("shutdown_delay", "must be at most 3600 seconds"));
        }
        if self.cutout.memory < 1 << 20 {
            faults.push(fault("cutout.memory", "is less than 1 MiB"));
        }
        if !is_ivoid(&self.cutout.publisher) {
            faults.push(fault(
                "cutout.publisher",
                "is not ivo://AUTHORITY/NAME, without ? or # (IVOA Identifiers 2.0)",
            ));
        }
        if self.cutout.max_positions == 0 {
            faults.push(fault("cutout.max_positions", "is 0"));
        }
    }

    /// URL of the database: the one set, or `sidereal.db` in the data directory.
    pub fn database_url(&self) -> SecretString {
        self.database_url.clone().unwrap_or_else(|| {
            let file = Url::from_file_path(self.data_path().join("sidereal.db"));
            let path = file.map_or_else(|()| "/sidereal.db".to_owned(), |url| url.path().to_owned());
            format!("sqlite://{path}").into()
        })
    }

    /// URL of the results: the one set, or `results` in the data directory.
    pub fn results_url(&self) -> String {
        self.results_url.clone().unwrap_or_else(|| {
            Url::from_directory_path(self.data_path().join("results"))
                .map_or_else(|()| "file:///results/".to_owned(), String::from)
        })
    }

    /// Base of every absolute URL, without a slash at its end. With port 0, set `listen` to the bound address first.
    pub fn public_base(&self) -> String {
        match &self.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.listen),
        }
    }

    /// Jobs run at once: the number set, or of cores.
    pub fn workers(&self) -> usize {
        self.workers
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// The data directory from the root of the file system.
    fn data_path(&self) -> PathBuf {
        std::path::absolute(&self.data_dir).unwrap_or_else(|_| self.data_dir.clone())
    }
}

impl AuthSettings {
    fn check(&self, faults: &mut Vec<Fault>) {
        if self.mode == AuthMode::Local {
            return;
        }
        let secret = self
            .client_secret
            .as_ref()
            .map(|secret| secret.expose_secret().len());
        if secret.is_none_or(|length| length < 16) {
            faults.push(fault(
                "auth.client_secret",
                "is needed by auth.mode oidc, of 16 characters or more: the secret of auth.client_id at the provider",
            ));
        }
        if self.issuer.is_none() {
            faults.push(fault(
                "auth.issuer",
                "is needed by auth.mode oidc: https://HOST/realms/REALM for Keycloak",
            ));
        }
        for (key, url) in [
            ("auth.issuer", &self.issuer),
            ("auth.internal_url", &self.internal_url),
        ] {
            if url.as_ref().is_some_and(|url| !is_plain(url)) {
                faults.push(fault(
                    key,
                    "must be http(s)://HOST[:PORT][/PATH], without user, ? or #",
                ));
            }
        }
        if self.issuer.as_ref().is_some_and(|url| !is_private(url)) {
            faults.push(fault(
                "auth.issuer",
                "must be https: who is in between could sign tokens",
            ));
        }
        for (key, name) in [
            ("auth.client_id", &self.client_id),
            ("auth.audience", &self.audience),
            ("auth.cli_client_id", &self.cli_client_id),
        ] {
            if name.trim().is_empty() {
                faults.push(fault(key, "is empty"));
            }
        }
        if self.session_idle.is_zero() || self.session_lifetime < self.session_idle {
            faults.push(fault(
                "auth.session_idle",
                "must be more than 0 seconds and at most auth.session_lifetime",
            ));
        }
    }
}

impl DashboardSettings {
    fn check_words(&self, faults: &mut Vec<Fault>) {
        let words = [
            ("dashboard.title", &self.title, 100),
            ("dashboard.footer", &self.footer, 500),
        ];
        for (key, text, most) in words {
            let is_line = |text: &String| {
                !text.trim().is_empty() && text.chars().count() <= most && !text.contains(char::is_control)
            };
            if !text.as_ref().is_none_or(is_line) {
                faults.push(fault(key, format!("must be 1 to {most} characters of one line")));
            }
        }
    }

    fn check_limits(&self, faults: &mut Vec<Fault>) {
        for (key, bytes) in [
            ("dashboard.max_bulk", self.max_bulk),
            ("dashboard.max_list", self.max_list),
            ("dashboard.max_member", self.max_member),
        ] {
            if !(1 << 10..=1 << 30).contains(&bytes) {
                faults.push(fault(key, "must be 1 KiB to 1 GiB"));
            }
        }
        for (key, rows) in [
            ("dashboard.max_editions", self.max_editions),
            ("dashboard.max_builds", self.max_builds),
        ] {
            if !(1..=1_000_000).contains(&rows) {
                faults.push(fault(key, "must be 1 to 1000000"));
            }
        }
    }

    fn check_keepers(&self, faults: &mut Vec<Fault>) {
        let is_name = |text: &str| {
            text.len() <= 40
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        // Folders of products lie beside those of Keepers; some file systems do not tell A from a.
        let may_be_product =
            |prefix: &str| prefix.starts_with(|c: char| c.is_ascii_alphabetic()) && !prefix.contains('_');
        let has_bare = self.keepers.iter().any(|keeper| keeper.prefix.is_empty());
        for (place, keeper) in self.keepers.iter().enumerate() {
            let mut complain = |message: &str| {
                faults.push(fault(
                    "dashboard.keepers",
                    format!("entry {} ({:?}): {message}", place + 1, keeper.name),
                ));
            };
            let earlier = &self.keepers[..place];
            if keeper.name.is_empty() || !is_name(&keeper.name) {
                complain("name must be 1 to 40 letters, digits, - and _");
            }
            if earlier.iter().any(|other| other.name == keeper.name) {
                complain("name is that of another entry");
            }
            if !is_name(&keeper.prefix) {
                complain("prefix must be at most 40 letters, digits, - and _");
            }
            if earlier.iter().any(|other| other.prefix == keeper.prefix) {
                complain("prefix is that of another entry: their dashboards would overwrite each other");
            }
            if has_bare && may_be_product(&keeper.prefix) {
                complain(
                    "prefix may be the name of a product of the entry that has none: their dashboards would overwrite \
                     each other. Give each entry one, or this one an underscore",
                );
            }
            if !is_plain(&keeper.base_url) || !keeper.public_urls.iter().all(is_plain) {
                complain(
                    "base_url and public_urls must be http(s)://HOST[:PORT][/PATH], without user, ? or #",
                );
            }
            if keeper
                .organization
                .as_deref()
                .is_some_and(|name| name.is_empty() || !is_name(name))
            {
                complain("organization must be 1 to 40 letters, digits, - and _");
            }
            if keeper.organization.is_some() && keeper.token.is_none() {
                complain("organization is read by the second API, which needs a token");
            }
            if keeper.token.is_some() && !is_private(&keeper.base_url) && !keeper.private_ok {
                complain("base_url must be https with a token: who is in between could take it");
            }
        }
    }

    fn check(&self, faults: &mut Vec<Fault>) {
        self.check_keepers(faults);
        let secret = self
            .build_secret
            .as_ref()
            .map(|secret| secret.expose_secret().len());
        if secret.is_some_and(|length| length < 16) {
            faults.push(fault("dashboard.build_secret", "must have 16 characters or more"));
        }
        if self.debounce > Duration::from_secs(10) {
            faults.push(fault("dashboard.debounce", "must be at most 10 seconds"));
        }
        if self.timeout.is_zero() || self.timeout > Duration::from_mins(10) {
            faults.push(fault(
                "dashboard.timeout",
                "must be more than 0 and at most 600 seconds",
            ));
        }
        if !self.sweep.is_zero() && self.sweep < Duration::from_secs(1) {
            faults.push(fault("dashboard.sweep", "must be 0 or at least 1 second"));
        }
        if self
            .tickets_url
            .as_ref()
            .is_some_and(|url| !matches!(url.scheme(), "http" | "https"))
        {
            faults.push(fault("dashboard.tickets_url", "must be http(s)"));
        }
        self.check_words(faults);
        self.check_limits(faults);
        if self.fastly_service.is_some() != self.fastly_key.is_some() {
            faults.push(fault(
                "dashboard.fastly_key",
                "and dashboard.fastly_service are needed together",
            ));
        }
        if self
            .fastly_service
            .as_deref()
            .is_some_and(|service| service.is_empty() || !service.bytes().all(|b| b.is_ascii_alphanumeric()))
        {
            faults.push(fault("dashboard.fastly_service", "must be letters and digits"));
        }
        if self
            .fastly_url
            .as_ref()
            .is_some_and(|url| !is_plain(url) || !is_private(url))
        {
            faults.push(fault(
                "dashboard.fastly_url",
                "must be https://HOST/, or this machine itself",
            ));
        }
    }
}

impl EngineSettings {
    fn check(&self, faults: &mut Vec<Fault>) {
        for (key, time) in [
            ("engine.heartbeat", self.heartbeat),
            ("engine.lease", self.lease),
            ("engine.sweep", self.sweep),
            ("engine.orphan_age", self.orphan_age),
        ] {
            if time.is_zero() {
                faults.push(fault(key, "must be more than 0 seconds"));
            }
        }
        if self.lease <= self.heartbeat * 2 {
            faults.push(fault(
                "engine.lease",
                format!(
                    "must be more than twice engine.heartbeat ({} s), so that one lost heartbeat loses no job",
                    self.heartbeat.as_secs_f64()
                ),
            ));
        }
        if self.attempts == 0 {
            faults.push(fault("engine.attempts", "must be at least 1"));
        }
    }
}

fn fault(key: &'static str, message: impl Into<String>) -> Fault {
    Fault {
        key,
        message: message.into(),
    }
}

/// Whether an URL is `http(s)://HOST[:PORT][/PATH]` and no more.
fn is_plain(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

/// Whether nobody is in between: https, or this machine itself.
fn is_private(url: &Url) -> bool {
    url.scheme() == "https"
        || match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

/// A number of bytes: `65536`, `64 KiB`, `64MB`.
fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '_')
        .unwrap_or(text.len());
    let number: u64 = text[..digits].replace('_', "").parse().ok()?;
    let unit = match text[digits..].trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// A number, or a text (from the environment every value is one).
#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Whole(u64),
    Decimal(f64),
    Text(String),
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    const EXPECTED: &str = "expected bytes, such as 67108864 or \"64 MiB\"";
    match NumberOrText::deserialize(deserializer) {
        Ok(NumberOrText::Whole(bytes)) => Ok(bytes),
        Ok(NumberOrText::Text(text)) => {
            parse_bytes(&text).ok_or_else(|| de::Error::custom(format!("{text:?} is no size; {EXPECTED}")))
        }
        Ok(NumberOrText::Decimal(_)) | Err(_) => Err(de::Error::custom(EXPECTED)),
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.trim().parse().map_err(|_| {
        de::Error::custom(format!(
            "{text:?} is no address (expected one with a port, such as 127.0.0.1:8080 or [::1]:8080)"
        ))
    })
}

fn some_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    address(deserializer).map(Some)
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let number = match NumberOrText::deserialize(deserializer) {
        Ok(NumberOrText::Whole(number)) => Some(number as f64),
        Ok(NumberOrText::Decimal(number)) => Some(number),
        Ok(NumberOrText::Text(text)) => text.trim().parse().ok(),
        Err(_) => None,
    };
    number
        .filter(|number| *number <= f64::from(u32::MAX))
        .and_then(|number| Duration::try_from_secs_f64(number).ok())
        .ok_or_else(|| de::Error::custom("expected seconds, such as 5 or 0.5"))
}

fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum List {
        Items(Vec<String>),
        Text(String),
    }
    Ok(match List::deserialize(deserializer)? {
        List::Items(items) => items,
        List::Text(text) => text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_set_for_each_collection() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let text = "[cutout.keywords.DES-DR2]\nband = ['FILTER']\ntype = 'PRODTYPE,OBSTYPE'\n\
            [cutout.keywords.DES-DR2.wavelengths]\nr = [5.5e-7, 7e-7]\n";
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        let settings = Settings::load(Some(file.path()), [], &[]).unwrap();
        let keywords = settings.cutout.keywords_of("des-dr2");
        assert_eq!(keywords.band, ["FILTER"]);
        assert_eq!(keywords.product_type, ["PRODTYPE", "OBSTYPE"]);
        assert_eq!(keywords.wavelengths.get("r"), Some(&[5.5e-7, 7e-7]));
        assert_eq!(keywords.obs, KeywordSettings::default().obs);
        assert_eq!(settings.cutout.keywords_of("other"), KeywordSettings::default());
    }

    fn load(environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::load(
            None,
            environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
            &[],
        )
    }

    fn with_file(
        text: &str,
        environment: &[(&str, &str)],
        flags: &[(&str, String)],
    ) -> Result<Settings, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sidereal.toml");
        std::fs::write(&file, text).unwrap();
        Settings::load(
            Some(&file),
            environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
            flags,
        )
    }

    fn faults(settings: &Settings) -> Vec<&'static str> {
        match settings.check() {
            Err(SettingsError::Faults(faults)) => faults.iter().map(|fault| fault.key).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn nothing_set_is_a_working_server_on_loopback() {
        let settings = load(&[]).unwrap();
        settings.check().unwrap();
        assert_eq!(settings.public_base(), "http://127.0.0.1:8080");
        assert!(settings.results_url().starts_with("file:///"));
        assert!(settings.results_url().ends_with("/data/results/"));
        let database = settings.database_url();
        assert!(database.expose_secret().starts_with("sqlite:///"));
        assert!(database.expose_secret().ends_with("/data/sidereal.db"));
        assert!(settings.workers() >= 1);
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file = "listen = \"127.0.0.1:1\"\nworkers = 1\nmax_body = \"1 MiB\"\n[engine]\nlease = 30\nheartbeat = 2.5";
        let environment = [("SIDEREAL_LISTEN", "127.0.0.1:2"), ("SIDEREAL_WORKERS", "2")];
        let settings = with_file(file, &environment, &[("listen", "127.0.0.1:3".into())]).unwrap();
        assert_eq!(settings.listen.port(), 3);
        assert_eq!(settings.workers(), 2);
        assert_eq!(settings.max_body, 1 << 20);
        assert_eq!(settings.engine.lease, Duration::from_secs(30));
        assert_eq!(settings.engine.heartbeat, Duration::from_millis(2_500));
    }

    #[test]
    fn the_environment_reaches_every_level() {
        let settings = load(&[
            ("SIDEREAL_AUTH__ALLOW_NON_LOOPBACK", "true"),
            ("SIDEREAL_CUTOUT__MEMORY", "64 MiB"),
            ("SIDEREAL_CUTOUT__MAX_POSITIONS", "7"),
            ("SIDEREAL_ENGINE__GRACE", "0.25"),
            ("SIDEREAL_SHUTDOWN_DELAY", "7.5"),
            ("SIDEREAL_SERVICES", "echo, cutout,"),
            ("SIDEREAL_ROLE", "worker"),
            ("SIDEREAL_LOG__FORMAT", "json"),
            ("SIDEREAL_INTERNAL_LISTEN", ""),
            ("SIDEREAL_TOKEN", "sdr_x"),
            ("SIDEREAL_SERVER", "http://x"),
            ("SIDEREAL_CONFIG", "x"),
            ("SIDEREAL_TEST_POSTGRES", "x"),
            ("PATH", "/bin"),
        ])
        .unwrap();
        assert!(settings.auth.allow_non_loopback);
        assert_eq!(settings.cutout.memory, 64 << 20);
        assert_eq!(settings.cutout.max_positions, 7);
        assert_eq!(settings.engine.grace, Duration::from_millis(250));
        assert_eq!(settings.shutdown_delay, Duration::from_millis(7_500));
        assert_eq!(settings.services, ["echo", "cutout"]);
        assert!(settings.role.works() && !settings.role.serves());
        assert_eq!(settings.log.format, LogFormat::Json);
        assert_eq!(settings.internal_listen, None);
    }

    #[test]
    fn unknown_keys_are_errors_that_name_them() {
        for (name, word) in [("SIDEREAL_LISTENN", "listenn"), ("SIDEREAL_AUTH__MOOD", "mood")] {
            let message = load(&[(name, "x")]).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
        for text in ["listenn = 1", "[cutout]\nlistenn = 1", "[listenn]\nx = 1"] {
            let message = with_file(text, &[], &[]).unwrap_err().to_string();
            assert!(message.contains("listenn"), "{message}");
        }
    }

    #[test]
    fn bad_values_are_errors_that_name_the_key() {
        for (name, value, key) in [
            ("SIDEREAL_LISTEN", "here", "listen"),
            ("SIDEREAL_MAX_BODY", "64 parsecs", "max_body"),
            ("SIDEREAL_MAX_BODY", "-1", "max_body"),
            ("SIDEREAL_MAX_BODY", "99999999999 GiB", "max_body"),
            ("SIDEREAL_ENGINE__LEASE", "soon", "engine.lease"),
            ("SIDEREAL_ENGINE__LEASE", "-1", "engine.lease"),
            ("SIDEREAL_ENGINE__LEASE", "nan", "engine.lease"),
            ("SIDEREAL_ENGINE__LEASE", "1e300", "engine.lease"),
            ("SIDEREAL_ROLE", "boss", "role"),
            ("SIDEREAL_WORKERS", "-1", "workers"),
            ("SIDEREAL_PUBLIC_URL", "not a url", "public_url"),
        ] {
            let message = load(&[(name, value)]).unwrap_err().to_string();
            assert!(message.contains(key), "{name}={value}: {message}");
        }
    }

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let error = Settings::load(Some(Path::new("/nowhere/sidereal.toml")), [], &[]).unwrap_err();
        assert!(matches!(error, SettingsError::NoFile(_)));
    }

    #[test]
    fn all_faults_come_at_once() {
        let mut settings = Settings {
            listen: "0.0.0.0:80".parse().unwrap(),
            public_url: Some("ftp://x/".parse().unwrap()),
            database_url: Some("mysql://x".into()),
            results_url: Some("s3://key:secret@bucket/".into()),
            services: vec!["tea".into()],
            workers: Some(0),
            shutdown_delay: Duration::from_millis(3_600_001),
            ..Settings::default()
        };
        settings.engine.lease = settings.engine.heartbeat * 2;
        assert_eq!(
            faults(&settings),
            [
                "listen",
                "public_url",
                "database_url",
                "results_url",
                "services",
                "workers",
                "shutdown_delay",
                "engine.lease"
            ]
        );
    }

    #[test]
    fn keepers_are_told_apart_and_their_tokens_kept() {
        let keeper = "[[dashboard.keepers]]\nname = 'a'\nbase_url = 'https://keeper.example.org/'\n";
        let good = with_file(
            keeper,
            &[("SIDEREAL_DASHBOARD__BUILD_SECRET", "a secret of the Keeper's")],
            &[],
        );
        let good = good.unwrap();
        assert_eq!(faults(&good), Vec::<&str>::new());
        assert!(good.dashboard.public && !good.dashboard.anonymous_build);
        for (text, key) in [
            (
                "[[dashboard.keepers]]\nname = 'a'\nbase_url = 'https://x.org/'",
                "dashboard.keepers",
            ),
            (
                "[[dashboard.keepers]]\nname = 'b'\nprefix = '../x'\nbase_url = 'https://x.org/'",
                "dashboard.keepers",
            ),
            (
                "[[dashboard.keepers]]\nname = 'b'\nprefix = 'b'\nbase_url = 'https://u:p@x.org/'",
                "dashboard.keepers",
            ),
            (
                "[[dashboard.keepers]]\nname = 'b'\nprefix = 'b'\ntoken = 'x'\nbase_url = 'http://x.org/'",
                "dashboard.keepers",
            ),
            ("[dashboard]\nbuild_secret = 'short'", "dashboard.build_secret"),
            ("[dashboard]\ndebounce = 60", "dashboard.debounce"),
            ("[dashboard]\ntitle = ' '", "dashboard.title"),
            ("[dashboard]\ntitle = \"two\\nlines\"", "dashboard.title"),
            ("[dashboard]\nfooter = ''", "dashboard.footer"),
            ("[dashboard]\nmax_bulk = 0", "dashboard.max_bulk"),
            ("[dashboard]\nmax_list = '2 GiB'", "dashboard.max_list"),
            ("[dashboard]\nmax_member = 1", "dashboard.max_member"),
            ("[dashboard]\nmax_editions = 0", "dashboard.max_editions"),
            ("[dashboard]\nmax_builds = 1000001", "dashboard.max_builds"),
            ("[dashboard]\nfastly_service = 'x'", "dashboard.fastly_key"),
            (
                "[dashboard]\nfastly_service = '../x'\nfastly_key = 'x'",
                "dashboard.fastly_service",
            ),
        ] {
            let text = if text.starts_with("[dashboard]") {
                text.to_owned()
            } else {
                format!("{keeper}{text}")
            };
            let found = faults(&with_file(&text, &[], &[]).unwrap());
            assert!(
                !found.is_empty() && found.iter().all(|found| *found == key),
                "{text}: {found:?}"
            );
        }
        let unnamed = with_file("[[dashboard.keepers]]\nname = 'a'", &[], &[])
            .unwrap_err()
            .to_string();
        assert!(unnamed.contains("base_url"), "{unnamed}");
    }

    #[test]
    fn a_keeper_has_no_folder_that_a_product_of_another_may_have() {
        let faults_of = |prefixes: &[&str]| {
            let keeper = |(number, prefix): (usize, &&str)| {
                format!(
                    "[[dashboard.keepers]]\nname = 'k{number}'\nprefix = '{prefix}'\nbase_url = 'https://x.org/'\n"
                )
            };
            let text: String = prefixes.iter().enumerate().map(keeper).collect();
            faults(&with_file(&text, &[], &[]).unwrap())
        };
        for prefixes in [
            &["", "two"][..],
            &["two", ""],
            &["", "Two"],
            &["", "one_1", "a-1"],
        ] {
            assert_eq!(faults_of(prefixes), ["dashboard.keepers"], "{prefixes:?}");
        }
        for prefixes in [&["one", "two"][..], &["", "_two"], &["", "2nd"], &["two"]] {
            assert_eq!(faults_of(prefixes), Vec::<&str>::new(), "{prefixes:?}");
        }
    }

    #[test]
    fn the_development_server_is_on_this_machine() {
        let faults_of = |url: &str| faults(&load(&[("SIDEREAL_WEB_APP_DEV_URL", url)]).unwrap());
        for url in [
            "http://127.0.0.1:5173",
            "http://localhost:5173/",
            "http://[::1]:1",
        ] {
            assert_eq!(faults_of(url), Vec::<&str>::new(), "{url}");
        }
        for url in [
            "http://10.0.0.1:5173",
            "https://127.0.0.1:5173",
            "http://localhost.example.org:5173",
            "http://me@127.0.0.1:5173",
            "http://127.0.0.1:5173/app",
            "http://127.0.0.1:5173/?x",
        ] {
            assert_eq!(faults_of(url), ["web_app_dev_url"], "{url}");
        }
    }

    #[test]
    fn mode_local_listens_beyond_loopback_only_when_forced() {
        let mut settings = Settings {
            listen: "[::]:80".parse().unwrap(),
            ..Settings::default()
        };
        assert_eq!(faults(&settings), ["listen"]);
        settings.auth.allow_non_loopback = true;
        assert_eq!(faults(&settings), Vec::<&str>::new());
    }

    #[test]
    fn mode_oidc_says_what_it_needs() {
        let mut settings = Settings {
            listen: "0.0.0.0:80".parse().unwrap(),
            public_url: Some("https://sky.example.org".parse().unwrap()),
            ..Settings::default()
        };
        settings.auth.mode = AuthMode::Oidc;
        assert_eq!(faults(&settings), ["auth.client_secret", "auth.issuer"]);
        settings.auth.client_secret = Some("short".into());
        settings.auth.issuer = Some("https://user@keys.example.org/realms/sky?x".parse().unwrap());
        settings.auth.audience = " ".into();
        settings.auth.session_idle = settings.auth.session_lifetime * 2;
        assert_eq!(
            faults(&settings),
            [
                "auth.client_secret",
                "auth.issuer",
                "auth.audience",
                "auth.session_idle"
            ]
        );
        settings.auth = AuthSettings {
            mode: AuthMode::Oidc,
            issuer: Some("https://keys.example.org/realms/sky".parse().unwrap()),
            client_secret: Some("a secret that is long enough".into()),
            ..AuthSettings::default()
        };
        assert_eq!(faults(&settings), Vec::<&str>::new());
        settings.public_url = None;
        settings.auth.issuer = Some("http://keys.example.org/realms/sky".parse().unwrap());
        assert_eq!(faults(&settings), ["auth.issuer", "public_url"]);
    }

    #[test]
    fn pages_of_other_origins_read_nothing_without_login_unless_it_is_asked_for() {
        let with = |pairs: &[(&str, &str)]| load(pairs).unwrap().cross_origin();
        let oidc = ("SIDEREAL_AUTH__MODE", "oidc");
        assert!(!with(&[]) && with(&[oidc]));
        assert!(with(&[("SIDEREAL_CROSS_ORIGIN", "true")]));
        assert!(!with(&[oidc, ("SIDEREAL_CROSS_ORIGIN", "false")]));
    }

    #[test]
    fn connections_of_an_address_are_bounded_where_it_is_one_clients() {
        let with = |pairs: &[(&str, &str)]| load(pairs).unwrap().connections_per_address();
        let oidc = ("SIDEREAL_AUTH__MODE", "oidc");
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[oidc]), Some(1_000));
        assert_eq!(with(&[oidc, ("SIDEREAL_TRUSTED_PROXIES", "1")]), None);
        for (most, expected) in [("7", Some(7)), ("0", None)] {
            assert_eq!(
                with(&[oidc, ("SIDEREAL_CONNECTIONS_PER_ADDRESS", most)]),
                expected
            );
        }
    }

    #[test]
    fn secrets_are_not_in_debug_output() {
        let settings = load(&[("SIDEREAL_DATABASE_URL", "postgres://u:hunter2@h/d")]).unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn a_base_path_is_kept_without_its_last_slash() {
        let settings = load(&[("SIDEREAL_PUBLIC_URL", "https://sky.example.org/sidereal/")]).unwrap();
        assert_eq!(settings.public_base(), "https://sky.example.org/sidereal");
    }

    #[test]
    fn sizes_are_read_with_and_without_units() {
        for (text, bytes) in [
            ("1", 1),
            ("64 MiB", 64 << 20),
            ("2GiB", 2 << 30),
            ("1_000 kB", 1_000_000),
            ("5 B", 5),
        ] {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5 MiB", "1 mib", "-1", "18446744073709551615 KiB"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }
}
