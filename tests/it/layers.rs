//! The house stands: every module uses only modules of lower layers, every library stays in the module that wraps it,
//! no two parts of a module need each other, every file says what it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// From the top. A module may use any of a later layer, none of its own or an earlier one.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["app"],
    &["services"],
    &["http"],
    &["jobs"],
    &["engine"],
    &["auth"],
    &["client", "deploy", "gerrit", "objects", "store", "notify"],
    &["fits"],
    &["net", "sky"],
    &["uws"],
    &["settings", "telemetry"],
];

/// Libraries, and the modules that alone may name them; `*` stands for any one name.
const LIBRARIES: &[(&[&str], &[&str])] = &[
    (&["poem", "poem_openapi"], &["http", "services/*/routes"]),
    (&["sea_orm", "sea_orm_migration", "sqlx"], &["store", "notify"]),
    (&["object_store"], &["objects"]),
    (&["openidconnect", "jsonwebtoken"], &["auth"]),
    (&["fits_well"], &["fits"]),
];

/// How a reqwest client comes to be; only `net` may.
const CLIENT_BUILDERS: &[&str] = &["new", "builder", "default"];

#[test]
fn every_module_keeps_to_its_layer() {
    let mut sources = Vec::new();
    read_sources(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")),
        "src",
        &mut sources,
    );
    assert!(
        sources.iter().any(|(path, _)| path == "src/lib.rs"),
        "the sources are not where they were"
    );
    let faults = faults(&sources);
    assert!(
        faults.is_empty(),
        "{}",
        faults.iter().fold(String::new(), |mut text, fault| {
            let _ = write!(text, "\n  {fault}");
            text
        })
    );
}

/// A column that the next release adds would change what they give, and Postgres refuses them then.
#[test]
fn statements_name_their_columns() {
    let mut sources = Vec::new();
    read_sources(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/store")),
        "src/store",
        &mut sources,
    );
    assert!(!sources.is_empty(), "the sources are not where they were");
    let faults: Vec<String> = sources
        .iter()
        .flat_map(|(path, text)| text.lines().map(move |line| (path, line)))
        .filter(|(_, line)| gives_every_column(line))
        .map(|(path, line)| format!("{path}: {}", line.trim()))
        .collect();
    assert_eq!(faults, [""; 0]);
}

#[test]
fn statements_that_give_every_column_are_found() {
    for line in [
        "\"SELECT * FROM job\"",
        "\"SELECT DISTINCT ON (r.recipe) r.* FROM job_result r\"",
        "\"DELETE FROM job WHERE id = $1 RETURNING *\",",
        "RETURNING *, {now} AS at",
        "\"SELECT t.*, \",",
        "RETURNING job.*\"",
    ] {
        assert!(gives_every_column(line), "{line}");
    }
    for line in [
        "\"SELECT {job}, count(*) AS number FROM job\"",
        "\"SELECT 2 * size, f.rate * 2 FROM job\"",
        "// Not `SELECT * FROM job`.",
    ] {
        assert!(!gives_every_column(line), "{line}");
    }
}

fn gives_every_column(line: &str) -> bool {
    let line = line.trim_start();
    let of_a_table = line
        .match_indices(".*")
        .any(|(at, _)| line[..at].ends_with(|last: char| last.is_ascii_lowercase() || last == '_'));
    !line.starts_with("//") && (line.contains("SELECT *") || line.contains("RETURNING *") || of_a_table)
}

/// Every Rust file below `folder` as (path from the crate's root, text), sorted.
fn read_sources(folder: &Path, name: &str, sources: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder of sources")
        .flatten()
        .collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if path.is_dir() {
            read_sources(&path, &name, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push((name, std::fs::read_to_string(&path).expect("a source file")));
        }
    }
}

/// What is wrong with these (path, text), one line each.
fn faults(sources: &[(String, String)]) -> Vec<String> {
    let mut faults = Vec::new();
    let modules: BTreeSet<Vec<String>> = sources.iter().map(|(path, _)| module_of(path)).collect();
    // Under each module, which of its children uses which other.
    let mut siblings: BTreeMap<Vec<String>, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (path, text) in sources {
        if !text.starts_with("//!") {
            faults.push(format!(
                "{path}: the first line does not say (//!) what the module is for"
            ));
        }
        let module = module_of(path);
        if let Some(top) = module.first()
            && layer(top).is_none()
        {
            faults.push(format!("{path}: `{top}` has no place in the layers"));
        }
        let found = paths(text);
        let names_client = found
            .iter()
            .any(|found| found.in_use && found.segments == strings(&["reqwest", "Client"]));
        for found in found {
            let at = format!("{path}:{}", found.line);
            let Some(target) = resolve(&module, &found) else {
                faults.extend(library_fault(&at, &module, &found.segments));
                if builds_client(&found.segments, names_client) && !module.starts_with(&strings(&["net"])) {
                    faults.push(format!("{at}: builds a reqwest client; only `net` may"));
                }
                continue;
            };
            faults.extend(layer_fault(&at, &module, &target));
            let shared = module.iter().zip(&target).take_while(|(a, b)| a == b).count();
            if shared > 0 && shared < module.len() && !found.in_tests {
                let target = existing(&modules, target);
                if shared < target.len() {
                    let users = siblings.entry(module[..shared].to_vec()).or_default();
                    users
                        .entry(module[shared].clone())
                        .or_default()
                        .insert(target[shared].clone());
                }
            }
        }
    }
    for (module, users) in &siblings {
        if let Some(cycle) = cycle(users) {
            faults.push(format!(
                "{}: its parts need each other: {}",
                module.join("::"),
                cycle.join(" → ")
            ));
        }
    }
    faults.dedup();
    faults
}

/// `src/uws/job.rs` → uws, job; `src/uws/mod.rs` → uws; `src/lib.rs` and `src/main.rs` → nothing.
fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut module: Vec<String> = path.split('/').map(String::from).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn layer_fault(at: &str, module: &[String], target: &[String]) -> Option<String> {
    let top = module.first()?;
    let Some(wanted) = target.first().filter(|wanted| layer(wanted).is_some()) else {
        return Some(format!("{at}: `crate::{}` is in no layer", target.join("::")));
    };
    (top != wanted && layer(wanted) <= layer(top)).then(|| format!("{at}: `{top}` may not use `{wanted}`"))
}

fn library_fault(at: &str, module: &[String], segments: &[String]) -> Option<String> {
    let library = segments.first()?;
    let (_, homes) = LIBRARIES
        .iter()
        .find(|(names, _)| names.contains(&library.as_str()))?;
    let at_home = homes.iter().any(|home| {
        let mut home = home.split('/');
        let mut own = module.iter();
        home.all(|part| own.next().is_some_and(|name| part == "*" || part == name))
    });
    (!at_home).then(|| format!("{at}: only {} may name `{library}`", homes.join(" and ")))
}

fn builds_client(segments: &[String], names_client: bool) -> bool {
    match segments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["reqwest", "get"] | ["reqwest", "ClientBuilder", ..] => true,
        ["reqwest", "Client", how, ..] => CLIENT_BUILDERS.contains(&how),
        ["Client", how, ..] => names_client && CLIENT_BUILDERS.contains(&how),
        _ => false,
    }
}

/// The file's module that an item's path lies in.
fn existing(modules: &BTreeSet<Vec<String>>, mut path: Vec<String>) -> Vec<String> {
    while !path.is_empty() && !modules.contains(&path) {
        path.pop();
    }
    path
}

/// A chain of names that ends where it began, if there is one.
fn cycle(users: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit(
        name: &str,
        users: &BTreeMap<String, BTreeSet<String>>,
        chain: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(start) = chain.iter().position(|link| link == name) {
            let mut cycle = chain[start..].to_vec();
            cycle.push(name.to_owned());
            return Some(cycle);
        }
        if !done.insert(name.to_owned()) {
            return None;
        }
        chain.push(name.to_owned());
        let found = users
            .get(name)
            .into_iter()
            .flatten()
            .find_map(|used| visit(used, users, chain, done));
        chain.pop();
        found
    }
    let mut done = BTreeSet::new();
    users
        .keys()
        .find_map(|name| visit(name, users, &mut Vec::new(), &mut done))
}

/// A path as written, its groups spread out, and where it stands.
#[derive(Debug)]
struct Found {
    segments: Vec<String>,
    line: usize,
    /// Names of the modules within the file that it stands in.
    inside: Vec<String>,
    in_tests: bool,
    in_use: bool,
}

/// The path from the crate's root, or nothing if it leads into a library (or to a local name).
fn resolve(module: &[String], found: &Found) -> Option<Vec<String>> {
    let mut base: Vec<String> = module.iter().chain(&found.inside).cloned().collect();
    let mut rest = &found.segments[..];
    match rest[0].as_str() {
        "crate" => {
            base.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|segment| segment == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        _ => return None,
    }
    base.extend(rest.iter().cloned());
    Some(base)
}

/// Every path of more than one name in a file, in `use` lines and elsewhere.
fn paths(text: &str) -> Vec<Found> {
    let tokens = tokens(text);
    let is = |at: usize, wanted: &str| tokens.get(at).is_some_and(|(token, _)| token == wanted);
    let mut found = Vec::new();
    let mut inside: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        let (token, line) = &tokens[at];
        if token == "mod" && is(at + 2, "{") {
            inside.push((tokens[at + 1].0.clone(), depth));
            depth += 1;
            at += 3;
        } else if token == "{" {
            depth += 1;
            at += 1;
        } else if token == "}" {
            depth -= 1;
            inside.pop_if(|(_, outside)| *outside == depth);
            at += 1;
        } else if is_name(token) && !(at > 0 && (is(at - 1, "::") || is(at - 1, "."))) {
            let in_use = at > 0 && is(at - 1, "use");
            let mut spread = Vec::new();
            at = spread_path(&tokens, at, Vec::new(), &mut spread);
            let names: Vec<String> = inside.iter().map(|(name, _)| name.clone()).collect();
            found.extend(
                spread
                    .into_iter()
                    .filter(|segments| in_use || segments.len() > 1)
                    .map(|segments| Found {
                        segments,
                        line: *line,
                        in_tests: names.iter().any(|name| name == "tests"),
                        inside: names.clone(),
                        in_use,
                    }),
            );
        } else {
            at += 1;
        }
    }
    found
}

/// Reads a path that begins at `at`, `{…}` groups included; gives the place behind it.
fn spread_path(
    tokens: &[(String, usize)],
    mut at: usize,
    mut segments: Vec<String>,
    found: &mut Vec<Vec<String>>,
) -> usize {
    let token = |at: usize| tokens.get(at).map_or("", |(token, _)| token.as_str());
    loop {
        if token(at) == "{" {
            at += 1;
            while at < tokens.len() && token(at) != "}" {
                at = spread_path(tokens, at, segments.clone(), found);
                // A new name (`as …`) and the comma.
                while at < tokens.len() && !matches!(token(at), "," | "}") {
                    at += 1;
                }
                at += usize::from(token(at) == ",");
            }
            return at + 1;
        }
        if !is_name(token(at)) && token(at) != "*" {
            break;
        }
        segments.push(token(at).to_owned());
        at += 1;
        if token(at) != "::" {
            break;
        }
        at += 1;
    }
    found.push(segments);
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Names, `::` and single signs with their lines; no comments, strings, characters or lifetimes.
fn tokens(text: &str) -> Vec<(String, usize)> {
    let chars: Vec<char> = text.chars().collect();
    let next = |at: usize, wanted: &str| {
        wanted
            .chars()
            .enumerate()
            .all(|(i, c)| chars.get(at + i) == Some(&c))
    };
    let is_word = |at: usize| chars.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_');
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < chars.len() {
        let start = at;
        if next(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if next(at, "/*") {
            let mut depth = 0;
            loop {
                depth = if next(at, "/*") {
                    depth + 1
                } else {
                    depth - i32::from(next(at, "*/"))
                };
                at += if next(at, "/*") || next(at, "*/") { 2 } else { 1 };
                if depth == 0 || at >= chars.len() {
                    break;
                }
            }
        } else if let Some(hashes) = raw_string(&chars[at..]) {
            let end = format!("\"{}", "#".repeat(hashes));
            while chars[at] != '"' {
                at += 1;
            }
            at += 1;
            while at < chars.len() && !next(at, &end) {
                at += 1;
            }
            at += end.len();
        } else if chars[at] == '"' {
            at += 1;
            while at < chars.len() && chars[at] != '"' {
                at += if chars[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if chars[at] == '\'' {
            // A character ends with a quote, a lifetime does not.
            if next(at + 1, "\\") {
                at += 3;
                while at < chars.len() && chars[at] != '\'' {
                    at += 1;
                }
                at += 1;
            } else {
                at += if chars.get(at + 2) == Some(&'\'') { 3 } else { 1 };
                if at == start + 1 {
                    while is_word(at) {
                        at += 1;
                    }
                }
            }
        } else if is_word(at) {
            while is_word(at) {
                at += 1;
            }
            tokens.push((chars[start..at].iter().collect(), line));
        } else if next(at, "::") {
            tokens.push(("::".to_owned(), line));
            at += 2;
        } else {
            if !chars[at].is_whitespace() {
                tokens.push((chars[at].to_string(), line));
            }
            at += 1;
        }
        let end = at.min(chars.len());
        line += chars[start..end].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// How many `#` a raw string (`r"…"`, `br#"…"#`) that begins here has.
fn raw_string(chars: &[char]) -> Option<usize> {
    let prefix = usize::from(matches!(chars.first(), Some('b' | 'c')));
    if chars.get(prefix) != Some(&'r') {
        return None;
    }
    let hashes = chars[prefix + 1..].iter().take_while(|c| **c == '#').count();
    (chars.get(prefix + 1 + hashes) == Some(&'"')).then_some(hashes)
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The faults of one file with this body below its `//!` line (which is line 1).
fn faults_of(path: &str, body: &str) -> Vec<String> {
    faults(&[(path.to_owned(), format!("//! What it is for.\n{body}"))])
}

#[test]
fn a_use_to_the_left_or_beside_is_found_however_it_is_written() {
    for body in [
        "use crate::store::Job;",
        "use crate::{uws::Job, store};",
        "use crate::{\n    uws::{Job, Phase as P},\n    store::{self, queue::Claim},\n};",
        "pub(crate) use crate::store::*;",
        "fn f() -> crate::store::Job { todo() }",
        "fn f() { let x: Vec<crate::store::Job> = crate::uws::none(); }",
        "use super::super::store::Job;",
        "use super::super::{store::Job};",
        "macro_rules! m { () => { $crate::store::claim() } }",
        "mod tests { use super::super::super::store::Job; }",
        "const A: char = '{'; const B: char = '\\''; fn f<'a>(x: &'a str) { crate::store::f(x) }",
        "const A: &str = r#\"}\"\"#; fn f() { crate::store::f() }",
    ] {
        let faults = faults_of("src/sky/frame.rs", body);
        assert_eq!(faults.len(), 1, "{body}: {faults:?}");
        assert!(
            faults[0].ends_with("`sky` may not use `store`"),
            "{body}: {faults:?}"
        );
    }
    assert_eq!(
        faults_of("src/store/mod.rs", "\nuse crate::notify::Notifier;"),
        ["src/store/mod.rs:3: `store` may not use `notify`"]
    );
    assert_eq!(
        faults_of("src/uws/mod.rs", "use crate::Job;"),
        ["src/uws/mod.rs:2: `crate::Job` is in no layer"]
    );
    assert_eq!(
        faults_of("src/helpers.rs", ""),
        ["src/helpers.rs: `helpers` has no place in the layers"]
    );
}

#[test]
fn what_is_allowed_is_not_a_fault() {
    for (path, body) in [
        (
            "src/store/queue.rs",
            "use crate::uws::{Job, phase::Phase};\nuse super::Claim;\npub(crate) struct A;",
        ),
        (
            "src/uws/job.rs",
            "// use crate::store::Job;\n/* crate::store /* nested */ crate::cli */\n",
        ),
        (
            "src/uws/job.rs",
            "/// See `crate::store`.\nconst A: &str = \"crate::store::Job\"; const B: &str = r\"crate::store\";",
        ),
        (
            "src/uws/job.rs",
            "mod tests { use super::*; use super::super::phase::Phase; }",
        ),
        (
            "src/services/cutout/routes.rs",
            "use poem::Route; use crate::http::Problem;",
        ),
        ("src/http/mod.rs", "use poem::{Route, web::Path};"),
        ("src/store/mod.rs", "use sqlx; use sea_orm::entity::prelude::*;"),
        (
            "src/net/mod.rs",
            "use reqwest::Client; fn f() { Client::builder() }",
        ),
        (
            "src/client/mod.rs",
            "struct Client { http: reqwest::Client } fn f() { Client::new() }",
        ),
        ("src/lib.rs", "pub mod app; pub mod uws;"),
    ] {
        assert_eq!(faults_of(path, body), Vec::<String>::new(), "{path}: {body}");
    }
}

#[test]
fn a_library_out_of_its_module_is_found() {
    for (path, body, fault) in [
        (
            "src/jobs.rs",
            "use poem::Route;",
            "only http and services/*/routes may name `poem`",
        ),
        (
            "src/services/cutout/mod.rs",
            "fn f() { poem_openapi::f() }",
            "services/*/routes may name `poem_openapi`",
        ),
        (
            "src/engine/mod.rs",
            "use {std::fmt, sea_orm::Value};",
            "only store and notify may name `sea_orm`",
        ),
        ("src/app.rs", "use sqlx;", "only store and notify may name `sqlx`"),
        (
            "src/engine/mod.rs",
            "async fn f(s: &dyn object_store::ObjectStore) {}",
            "only objects may name",
        ),
        (
            "src/http/mod.rs",
            "use jsonwebtoken::decode;",
            "only auth may name `jsonwebtoken`",
        ),
        (
            "src/services/cutout/mod.rs",
            "use fits_well::Header;",
            "only fits may name `fits_well`",
        ),
        (
            "src/gerrit.rs",
            "fn f() { reqwest::Client::new() }",
            "only `net` may",
        ),
        (
            "src/gerrit.rs",
            "use reqwest::{Client, Url};\nfn f() { Client::builder() }",
            "only `net` may",
        ),
    ] {
        let faults = faults_of(path, body);
        assert!(
            faults.len() == 1 && faults[0].contains(fault),
            "{path}: {body}: {faults:?}"
        );
    }
}

#[test]
fn parts_that_need_each_other_are_found() {
    let source = |path: &str, body: &str| (path.to_owned(), format!("//! What it is for.\n{body}"));
    let job = source("src/uws/job.rs", "use super::phase::Phase;");
    let phase = source("src/uws/phase.rs", "use super::xml::Writer;");
    let in_tests = source("src/uws/xml.rs", "mod tests { use super::super::job::Job; }");
    assert_eq!(
        faults(&[job.clone(), phase.clone(), in_tests]),
        Vec::<String>::new()
    );
    let xml = source("src/uws/xml.rs", "use crate::uws::job::Job;");
    assert_eq!(
        faults(&[job, phase, xml]),
        ["uws: its parts need each other: job → phase → xml → job"]
    );
}

#[test]
fn a_file_that_does_not_say_what_it_is_for_is_found() {
    let source = (
        "src/uws/job.rs".to_owned(),
        "use std::fmt;\n//! Too late.".to_owned(),
    );
    assert_eq!(
        faults(&[source]),
        ["src/uws/job.rs: the first line does not say (//!) what the module is for"]
    );
}
