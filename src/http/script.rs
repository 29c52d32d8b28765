//! A POSIX shell script that downloads results by curl, goes on where it stopped, and checks what it has got.
//!
//! It is copied and sent about, so no token is in it: who needs one has it in `SIDEREAL_TOKEN`.

use std::fmt::Write as _;

use bytes::Bytes;
use futures::stream;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use poem::{
    Body, Response,
    http::{HeaderValue, header},
};

use super::{crowd::Ticket, reply::foreign};
use crate::{store::StoredResult, uws::JobId};

/// What needs no escape in a segment of a URL.
pub const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b'~');
/// Files that are written at a time.
const LINES: usize = 512;

/// What does the work; calls of `fetch` follow.
const FUNCTIONS: &str = r#"
set -u
failed=0

digest() {
    if command -v sha256sum > /dev/null 2>&1; then sha256sum < "$1"; else shasum -a 256 < "$1"; fi | cut -d ' ' -f 1
}

fail() {
    echo "$1" >&2
    failed=$((failed + 1))
}

# fetch NAME URL-NAME SIZE SHA256
fetch() {
    file=./$1 part=./.$1.part tries=0
    if [ -e "$file" ]; then
        [ "$(digest "$file")" = "$4" ] || fail "$1: a file of that name is here, with other content"
        return
    fi
    while :; do
        : >> "$part" || exit 1
        have=$(($(wc -c < "$part")))
        if [ "$have" -eq "$3" ] && [ "$(digest "$part")" = "$4" ]; then
            mv "$part" "$file" && echo "$1"
            return
        fi
        if [ "$have" -ge "$3" ]; then rm -f "$part"; fi
        tries=$((tries + 1))
        if [ "$tries" -gt 5 ]; then
            fail "$1: not downloaded"
            return
        fi
        if [ "$tries" -gt 1 ]; then sleep "$tries"; fi
        status=$(ask "$part" "$base/$2")
        case $status in
            401 | 403) echo "$1: the server answers $status: is SIDEREAL_TOKEN right?" >&2; exit 3 ;;
            404 | 410) rm -f "$part"; fail "$1: it is no longer there"; return ;;
        esac
    done
}
"#;

/// Asks as nobody: whoever has the link may read.
const OPEN: &str = r#"
ask() {
    curl -q -g -sS -f -C - -o "$1" -w '%{http_code}' "$2"
}
"#;

/// Asks by the token, which other users of the machine cannot see in the list of processes.
const BY_TOKEN: &str = r#"
case ${SIDEREAL_TOKEN:-} in
    '') echo 'set SIDEREAL_TOKEN to a token of yours first' >&2; exit 3 ;;
    *[!A-Za-z0-9._~+/=-]*) echo 'SIDEREAL_TOKEN is no token' >&2; exit 3 ;;
esac

ask() {
    printf 'header = "Authorization: Bearer %s"\n' "$SIDEREAL_TOKEN" |
        curl -q -K - -g -sS -f -C - -o "$1" -w '%{http_code}' "$2"
}
"#;

/// The script for these results, which lie below `url`; with `token` they are for callers who show one.
/// It counts by its ticket until it has been sent.
pub fn response(job: JobId, url: &str, files: Vec<StoredResult>, token: bool, ticket: Ticket) -> Response {
    let count = files.len();
    let mut first = String::from("#!/bin/sh\n");
    // Writing to a string does not fail.
    let _ = writeln!(
        first,
        "# Downloads {count} results of job {job} into this folder, and checks them. Run it again to go on where it \
         stopped.\n# Needs curl, and sha256sum or shasum."
    );
    if token {
        first.push_str("# Your token is not in here: give it in SIDEREAL_TOKEN.\n");
    }
    first.push_str(if token { BY_TOKEN } else { OPEN });
    first.push_str(FUNCTIONS);
    let _ = writeln!(first, "\nbase={}", quoted(url));
    let last = format!(
        "\nif [ \"$failed\" -gt 0 ]; then\n    echo \"$failed of {count} files are missing\" >&2\n    exit 1\nfi\n"
    );
    let mut files = files.into_iter().peekable();
    let mut pieces = vec![first];
    while files.peek().is_some() {
        pieces.push(files.by_ref().take(LINES).map(|file| call(&file)).collect());
    }
    pieces.push(last);
    let pieces = pieces.into_iter().map(move |piece| {
        let _open = &ticket;
        Ok::<_, std::io::Error>(Bytes::from(piece))
    });
    foreign("text/x-shellscript; charset=utf-8", &format!("{job}.sh"))
        .header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .body(Body::from_bytes_stream(stream::iter(pieces)))
}

fn call(file: &StoredResult) -> String {
    let name = utf8_percent_encode(&file.name, SEGMENT).to_string();
    format!(
        "fetch {} {} {} {}\n",
        quoted(&file.name),
        quoted(&name),
        file.size,
        quoted(&file.sha256)
    )
}

/// A word of the shell that means nothing but itself.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_means_nothing_but_itself() {
        for (text, word) in [
            ("a b.fits", "'a b.fits'"),
            ("$(rm -rf ~)`x`;\"", "'$(rm -rf ~)`x`;\"'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(text), word);
        }
    }
}
