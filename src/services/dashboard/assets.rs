//! Files that pages name: their style, their script, their icon, and the logo of who runs this server. Each is named by
//! its content, so that no cache ever has another.

use std::{fs::File, io::Read, path::Path, sync::LazyLock};

use bytes::Bytes;
use quick_xml::{Reader, events::Event};
use sha2::{Digest, Sha256};

/// Largest logo, in bytes; the settings and the error say so too.
const MAX_LOGO: usize = 256 << 10;

/// The one style sheet.
pub static STYLE: LazyLock<Asset> = LazyLock::new(|| Asset::of("css", include_str!("templates/style.css")));

/// What lets readers filter the rows of a page; pages are whole without it.
pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| Asset::of("js", include_str!("templates/filter.js")));

/// What browsers show beside the title.
pub static ICON: LazyLock<Asset> = LazyLock::new(|| Asset::of("svg", include_str!("templates/icon.svg")));

/// A file that pages name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Its name: another one for other bytes.
    pub name: String,
    /// Its bytes.
    pub body: Bytes,
}

/// Why a file cannot be the logo.
#[derive(Debug, thiserror::Error)]
pub enum LogoError {
    /// It is not there, or is no file.
    #[error("dashboard.logo: {path} cannot be read: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        why: std::io::Error,
    },
    /// It would weigh on every page.
    #[error("dashboard.logo: {0} is larger than 256 KiB")]
    Large(String),
    /// Not an image that browsers show, or one that acts.
    #[error("dashboard.logo: {0} is no PNG, JPEG, WebP or SVG without scripts")]
    Kind(String),
}

impl Asset {
    fn of(extension: &str, body: impl Into<Bytes>) -> Asset {
        let body = body.into();
        Asset {
            name: format!("{}.{extension}", &hex::encode(Sha256::digest(&body))[..16]),
            body,
        }
    }

    /// The logo in this file.
    pub fn logo(path: &Path) -> Result<Asset, LogoError> {
        let shown = || path.display().to_string();
        let unreadable = |why| LogoError::Unreadable { path: shown(), why };
        let file = File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(MAX_LOGO as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() > MAX_LOGO {
            return Err(LogoError::Large(shown()));
        }
        let extension = image(&bytes).ok_or_else(|| LogoError::Kind(shown()))?;
        Ok(Asset::of(extension, bytes))
    }
}

/// The usual extension of an image, by what it begins with.
fn image(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("png")
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some("jpg")
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some("webp")
    } else {
        let text = std::str::from_utf8(bytes).ok()?;
        is_still_svg(text).then_some("svg")
    }
}

/// Whether it is a drawing in SVG, and no more: what is opened by itself could act.
fn is_still_svg(text: &str) -> bool {
    let mut reader = Reader::from_str(text);
    let mut root = None;
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) => {
                let name = tag.local_name().as_ref().to_ascii_lowercase();
                if ["script", "foreignobject", "iframe"].contains(&name.as_str()) {
                    return false;
                }
                let is_still = |key: &str| !key.to_ascii_lowercase().starts_with("on");
                let mut attributes = tag.attributes();
                if !attributes.all(|attribute| attribute.is_ok_and(|one| is_still(one.key.as_ref()))) {
                    return false;
                }
                root.get_or_insert(name);
            }
            // What a parser would replace by something else.
            Ok(Event::DocType(_)) | Err(_) => return false,
            Ok(Event::Eof) => return root.as_deref() == Some("svg"),
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_named_by_their_bytes_and_load_nothing_from_elsewhere() {
        for (asset, extension) in [(&STYLE, ".css"), (&SCRIPT, ".js"), (&ICON, ".svg")] {
            assert!(asset.name.ends_with(extension), "{}", asset.name);
            assert_eq!(asset.name.len(), 16 + extension.len());
            let text = std::str::from_utf8(&asset.body).unwrap();
            for part in [
                "url(",
                "@import",
                "fetch(",
                "import(",
                "innerHTML",
                "localStorage",
                "cookie",
            ] {
                assert!(!text.contains(part), "{part} in {}", asset.name);
            }
        }
        assert_ne!(Asset::of("css", "a").name, Asset::of("css", "b").name);
        assert!(is_still_svg(std::str::from_utf8(&ICON.body).unwrap()));
    }

    #[test]
    fn a_logo_is_an_image_that_does_not_act() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logo");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Asset::logo(&path)
        };
        for (bytes, extension) in [
            (&b"\x89PNG\r\n\x1a\nmore"[..], "png"),
            (b"\xff\xd8\xff\xe0", "jpg"),
            (b"RIFF0000WEBPVP8 ", "webp"),
            (
                b"<?xml version=\"1.0\"?>\n<!-- c -->\n<svg xmlns=\"x\"><path d=\"M0\"/></svg>",
                "svg",
            ),
        ] {
            let logo = read(bytes).unwrap();
            assert_eq!(logo.name.split_once('.').unwrap().1, extension);
            assert_eq!(logo.body, bytes);
        }
        for bytes in [
            &b""[..],
            b"<html><svg/></html>",
            b"<svg><script>alert(1)</script></svg>",
            b"<svg><s:SCRIPT href='x'/></svg>",
            b"<svg onload='alert(1)'/>",
            b"<svg><foreignObject/></svg>",
            b"<!DOCTYPE svg [<!ENTITY a 'b'>]><svg>&a;</svg>",
            b"<svg",
            b"GIF89a",
            b"\xff\xfe<\0s\0v\0g\0",
        ] {
            let refused = read(bytes).unwrap_err();
            assert!(matches!(refused, LogoError::Kind(_)), "{bytes:?}: {refused}");
        }
        assert!(matches!(read(&vec![0; MAX_LOGO + 1]), Err(LogoError::Large(_))));
        assert!(matches!(
            Asset::logo(folder.path()),
            Err(LogoError::Unreadable { .. })
        ));
        let nowhere = Asset::logo(&folder.path().join("nowhere")).unwrap_err();
        assert!(nowhere.to_string().contains("nowhere"), "{nowhere}");
    }
}
