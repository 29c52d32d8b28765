//! Results together as one zip or tar, made while it is sent: memory does not grow with their sizes, nothing is written
//! anywhere, and a client that goes away ends it.
//!
//! Files are stored as they are: what is large is compressed already. The last member, `SHA256SUMS`, is what
//! `sha256sum -c` reads. An archive that cannot be finished breaks the connection: one that ends is whole.

use std::{
    collections::HashSet,
    fmt::Write as _,
    io::{self, Write},
    mem,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    vec,
};

use bytes::Bytes;
use chrono::{DateTime, Datelike, Timelike, Utc};
use futures::{TryStreamExt, stream, stream::BoxStream};
use poem::{
    Body, Request, Response,
    http::{HeaderValue, header},
};
use poem_openapi::registry::MetaSchema;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions, write::StreamWriter};

use super::{
    content::stored, crowd::Ticket, edge::HeadOnly, parameter::Value, problem::Problem, reply::foreign,
};
use crate::{
    objects::{ObjectsError, Results},
    store::StoredResult,
    uws::{JobId, Timestamp},
};

/// Name of the member with the digests.
const SUMS: &str = "SHA256SUMS";
/// Bytes that are gathered before they are sent.
const CHUNK: usize = 64 << 10;
/// Lines of digests that are written at a time.
const LINES: usize = 512;
/// From this size on a member of a zip has sizes of 64 bits.
const ZIP64: u64 = 0xffff_0000;
/// What tar counts in.
const BLOCK: u64 = 512;

/// What an archive can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// PKZIP, with 64 bits where a file or the whole needs them.
    #[default]
    Zip,
    /// GNU tar.
    Tar,
}

impl Format {
    const ALL: [Format; 2] = [Format::Zip, Format::Tar];

    fn name(self) -> &'static str {
        match self {
            Format::Zip => "zip",
            Format::Tar => "tar",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Format::Zip => "application/zip",
            Format::Tar => "application/x-tar",
        }
    }
}

/// A text that is no format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected zip or tar")]
pub struct NoFormat;

impl FromStr for Format {
    type Err = NoFormat;

    fn from_str(text: &str) -> Result<Self, NoFormat> {
        let mut all = Format::ALL.into_iter();
        all.find(|format| format.name().eq_ignore_ascii_case(text))
            .ok_or(NoFormat)
    }
}

impl Value for Format {
    fn schema() -> MetaSchema {
        MetaSchema {
            enum_items: Format::ALL.map(|format| format.name().into()).into(),
            ..MetaSchema::new("string")
        }
    }
}

/// The results of these names in the order that they were made, all if none is named, each once; 404 with the name of one
/// that is not there.
pub fn selected(mut results: Vec<StoredResult>, names: &[String]) -> Result<Vec<StoredResult>, Problem> {
    if names.is_empty() {
        results.retain(|result| !result.is_alias());
        return Ok(results);
    }
    let mut wanted: HashSet<&str> = names.iter().map(String::as_str).collect();
    let chosen = results
        .into_iter()
        .filter(|result| wanted.remove(result.name.as_str()))
        .collect();
    match names.iter().find(|name| wanted.contains(name.as_str())) {
        Some(name) => Err(missing(name)),
        None => Ok(chosen),
    }
}

fn missing(name: &str) -> Problem {
    let shown: String = name.chars().take(200).collect();
    Problem::not_found(format!("the job has no result {shown:?}"))
}

/// The archive of the chosen results, from the one after `after` on; its digests are those of all that were chosen, so that
/// they hold for what was fetched before as well. It counts by its ticket until it has been sent.
pub async fn response(
    objects: &Results,
    request: &Request,
    job: JobId,
    chosen: Vec<StoredResult>,
    after: Option<&str>,
    format: Format,
    ticket: Ticket,
) -> Result<Response, Problem> {
    let begin = match after {
        None => 0,
        Some(name) => {
            let place = chosen.iter().position(|result| result.name == name);
            place.ok_or_else(|| missing(name))? + 1
        }
    };
    let builder = foreign(format.media_type(), &format!("{job}.{}", format.name()))
        .header(header::ACCEPT_RANGES, HeaderValue::from_static("none"))
        .header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if request.data::<HeadOnly>().is_some() {
        return Ok(builder.finish());
    }
    let mut archive = Archive::new(objects.clone(), chosen, begin, format);
    // Opened before the answer begins, so that a store that is away has a status of its own.
    archive.open_next().await.map_err(stored)?;
    let pieces = stream::try_unfold((archive, ticket), |(mut archive, ticket)| async move {
        match archive.piece().await {
            Ok(piece) => Ok(piece.map(|piece| (piece, (archive, ticket)))),
            Err(error) => {
                tracing::warn!(%error, "an archive broke off");
                Err(error)
            }
        }
    });
    Ok(builder.body(Body::from_bytes_stream(pieces)))
}

/// An archive on its way.
struct Archive {
    objects: Results,
    files: vec::IntoIter<StoredResult>,
    /// Lines for `SHA256SUMS`, in pieces; none if a result has that name.
    sums: vec::IntoIter<String>,
    step: Step,
    writer: Option<Writer>,
    out: Outlet,
}

enum Step {
    /// Between two results.
    Between,
    /// In one, of which so many bytes are still to come.
    Within(BoxStream<'static, Result<Bytes, ObjectsError>>, u64),
    /// In the digests.
    Sums,
}

impl Archive {
    fn new(objects: Results, chosen: Vec<StoredResult>, begin: usize, format: Format) -> Self {
        let out = Outlet::default();
        let sums: Vec<String> = if chosen.iter().any(|file| file.name == SUMS) {
            Vec::new()
        } else {
            chosen.chunks(LINES).map(lines).collect()
        };
        let mut files = chosen.into_iter();
        if let Some(before) = begin.checked_sub(1) {
            files.nth(before);
        }
        Archive {
            objects,
            files,
            sums: sums.into_iter(),
            step: Step::Between,
            writer: Some(Writer::new(format, out.clone())),
            out,
        }
    }

    /// Opens the next result and begins its member; whether there is one.
    async fn open_next(&mut self) -> Result<bool, ObjectsError> {
        let Some(file) = self.files.next() else {
            return Ok(false);
        };
        let object = self.objects.get(&file.object, None).await?;
        if object.size != file.size {
            return Err(ObjectsError::Changed);
        }
        self.writer()?.begin(&file.name, file.size, object.modified)?;
        self.step = Step::Within(object.body, file.size);
        Ok(true)
    }

    /// The next bytes of the archive; none at its end.
    async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        while self.writer.is_some() && self.out.length() < CHUNK {
            self.step().await?;
        }
        let piece = self.out.take();
        Ok((!piece.is_empty()).then_some(piece))
    }

    async fn step(&mut self) -> io::Result<()> {
        match &mut self.step {
            Step::Between => {
                if !self.open_next().await.map_err(io::Error::other)? {
                    self.begin_sums()?;
                }
            }
            Step::Within(body, left) => {
                let Some(bytes) = body.try_next().await.map_err(io::Error::other)? else {
                    if *left > 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    self.step = Step::Between;
                    return self.writer()?.end();
                };
                *left = left
                    .checked_sub(bytes.len() as u64)
                    .ok_or_else(|| io::Error::other("a result is longer than it was"))?;
                self.writer()?.write(&bytes)?;
            }
            Step::Sums => {
                if let Some(lines) = self.sums.next() {
                    self.writer()?.write(lines.as_bytes())?;
                } else {
                    self.writer()?.end()?;
                    self.finish()?;
                }
            }
        }
        Ok(())
    }

    fn begin_sums(&mut self) -> io::Result<()> {
        let size: usize = self.sums.as_slice().iter().map(String::len).sum();
        if size == 0 {
            return self.finish();
        }
        self.writer()?
            .begin(SUMS, size as u64, Timestamp::of_this_host().utc())?;
        self.step = Step::Sums;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.writer.take().map_or(Ok(()), Writer::finish)
    }

    fn writer(&mut self) -> io::Result<&mut Writer> {
        self.writer.as_mut().ok_or(io::ErrorKind::BrokenPipe.into())
    }
}

/// What `sha256sum -c` reads.
fn lines(files: &[StoredResult]) -> String {
    let mut text = String::with_capacity(files.len() * 100);
    for file in files {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}  {}", file.sha256, file.name);
    }
    text
}

/// Writes the members of an archive to an outlet.
enum Writer {
    Zip(Box<ZipWriter<StreamWriter<Outlet>>>),
    Tar {
        builder: tar::Builder<Outlet>,
        /// Bytes of the member so far.
        written: u64,
    },
}

impl Writer {
    fn new(format: Format, out: Outlet) -> Self {
        match format {
            Format::Zip => Writer::Zip(Box::new(ZipWriter::new_stream(out))),
            Format::Tar => Writer::Tar {
                builder: tar::Builder::new(out),
                written: 0,
            },
        }
    }

    /// Begins a member of `size` bytes.
    fn begin(&mut self, name: &str, size: u64, modified: DateTime<Utc>) -> io::Result<()> {
        // Names of results are plain; what unpacks an archive writes where its names say.
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', ':', '\0', '\n']) {
            return Err(io::Error::other(format!(
                "{name:?} cannot be the name of a file in an archive"
            )));
        }
        match self {
            Writer::Zip(zip) => {
                let options = SimpleFileOptions::default()
                    .compression_method(CompressionMethod::Stored)
                    .large_file(size >= ZIP64)
                    .unix_permissions(0o644)
                    .last_modified_time(dos_time(modified));
                zip.start_file(name, options)?;
            }
            Writer::Tar { builder, written } => {
                let mut header = tar::Header::new_gnu();
                header.set_size(size);
                header.set_mode(0o644);
                header.set_mtime(modified.timestamp().try_into().unwrap_or_default());
                // The header alone: the content follows as it is read.
                builder.append_data(&mut header, name, io::empty())?;
                *written = 0;
            }
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Writer::Zip(zip) => zip.write_all(bytes),
            Writer::Tar { builder, written } => {
                *written += bytes.len() as u64;
                builder.get_mut().write_all(bytes)
            }
        }
    }

    fn end(&mut self) -> io::Result<()> {
        match self {
            // The next member, or the end, ends it.
            Writer::Zip(_) => Ok(()),
            Writer::Tar { builder, written } => {
                let padding = written.next_multiple_of(BLOCK) - *written;
                builder
                    .get_mut()
                    .write_all(&[0; BLOCK as usize][..padding as usize])
            }
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Writer::Zip(zip) => zip.finish().map(drop).map_err(io::Error::from),
            Writer::Tar { mut builder, .. } => builder.finish(),
        }
    }
}

/// A time as zip has it, whole even seconds from 1980 on.
fn dos_time(time: DateTime<Utc>) -> zip::DateTime {
    let small = |number: u32| u8::try_from(number).unwrap_or_default();
    u16::try_from(time.year())
        .ok()
        .and_then(|year| {
            let (month, day) = (small(time.month()), small(time.day()));
            let (hour, minute, second) = (small(time.hour()), small(time.minute()), small(time.second()));
            zip::DateTime::from_date_and_time(year, month, day, hour, minute, second).ok()
        })
        .unwrap_or_default()
}

/// Where a writer's bytes wait to be sent.
#[derive(Clone, Default)]
struct Outlet(Arc<Mutex<Vec<u8>>>);

impl Outlet {
    fn length(&self) -> usize {
        self.with(|bytes| bytes.len())
    }

    fn take(&self) -> Bytes {
        self.with(mem::take).into()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|waiting| waiting.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    fn result(name: &str, content: &[u8]) -> StoredResult {
        use sha2::Digest;
        StoredResult {
            name: name.into(),
            media_type: "text/plain".into(),
            size: content.len() as u64,
            sha256: hex::encode(sha2::Sha256::digest(content)),
            object: format!("job/1/{name}"),
            principal: true,
            recipe: None,
        }
    }

    async fn all(archive: Archive) -> io::Result<Vec<u8>> {
        let pieces = stream::try_unfold(archive, |mut archive| async move {
            let piece = archive.piece().await?;
            Ok::<_, io::Error>(piece.map(|piece| (piece, archive)))
        });
        let pieces: Vec<Bytes> = pieces.boxed().try_collect().await?;
        Ok(pieces.concat())
    }

    #[test]
    fn files_are_chosen_in_the_order_of_the_results() {
        let mut results = ["a", "b", "c"].map(|name| result(name, b"")).to_vec();
        // It stands for another, and is there only if it is asked for.
        results.push(StoredResult {
            name: "r".into(),
            ..result("a", b"")
        });
        let named = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
            let chosen = selected(results.clone(), &names).map_err(|problem| problem.to_string())?;
            Ok::<_, String>(
                chosen
                    .into_iter()
                    .map(|file| file.name)
                    .collect::<Vec<_>>()
                    .concat(),
            )
        };
        assert_eq!(named(&[]).unwrap(), "abc");
        assert_eq!(named(&["c", "a", "c"]).unwrap(), "ac");
        assert_eq!(named(&["r"]).unwrap(), "r");
        assert!(named(&["a", "../x"]).unwrap_err().contains("\"../x\""));
    }

    #[test]
    fn names_never_lead_out_of_the_folder() {
        for format in Format::ALL {
            for name in ["", "..", ".", "../a", "/a", "a/b", "a\\b", "C:a", "a\nb"] {
                let mut writer = Writer::new(format, Outlet::default());
                assert!(writer.begin(name, 0, DateTime::UNIX_EPOCH).is_err(), "{name:?}");
            }
        }
    }

    #[test]
    fn sizes_beyond_32_bits_are_announced() {
        let (zip, tar) = (Outlet::default(), Outlet::default());
        let mut writer = Writer::new(Format::Zip, zip.clone());
        writer.begin("a", 5 << 30, DateTime::UNIX_EPOCH).unwrap();
        // Version 4.5 of the format, whose extra field 1 has sizes of 64 bits.
        assert_eq!(zip.take()[4..6], [45, 0]);
        let mut writer = Writer::new(Format::Tar, tar.clone());
        writer.begin("a", 9 << 30, DateTime::UNIX_EPOCH).unwrap();
        let header = tar::Header::from_byte_slice(&tar.take()[..512]).clone();
        assert_eq!(header.size().unwrap(), 9 << 30);
    }

    #[tokio::test]
    async fn what_cannot_be_read_to_its_end_makes_no_archive() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Results::open(folder.path().to_str().unwrap()).unwrap();
        let files = [result("a", &[1; 1_000]), result("b", &vec![2; 300_000])];
        for format in Format::ALL {
            for (file, content) in files.iter().zip([vec![1; 1_000], vec![2; 300_000]]) {
                objects
                    .put_bytes(&file.object, "text/plain", content.into())
                    .await
                    .unwrap();
            }
            let archive = |begin| Archive::new(objects.clone(), files.to_vec(), begin, format);
            let whole = all(archive(0)).await.unwrap();
            let rest = all(archive(1)).await.unwrap();
            assert!(whole.len() > rest.len() + 1_000 && rest.len() > 300_000);
            for bytes in [&whole, &rest] {
                let text = String::from_utf8_lossy(bytes);
                assert!(files.iter().all(|file| text.contains(&file.sha256)));
            }
            // Gone, or shorter than it was.
            objects
                .put_bytes(&files[1].object, "text/plain", vec![2; 10].into())
                .await
                .unwrap();
            all(archive(0)).await.unwrap_err();
            objects.delete(&files[1].object).await.unwrap();
            all(archive(0)).await.unwrap_err();
        }
    }

    #[tokio::test]
    async fn a_body_that_ends_early_or_late_breaks_the_archive() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Results::open(folder.path().to_str().unwrap()).unwrap();
        for size in [9, 11] {
            let mut archive = Archive::new(objects.clone(), Vec::new(), 0, Format::Tar);
            archive
                .writer()
                .unwrap()
                .begin("a", size, DateTime::UNIX_EPOCH)
                .unwrap();
            let body = stream::iter([Ok(Bytes::from_static(b"0123456789"))]).boxed();
            archive.step = Step::Within(body, size);
            all(archive).await.unwrap_err();
        }
    }
}
