//! Names of images: `collection/path`, and as the Virtual Observatory has them, `ivo://publisher?collection/path`
//! (IVOA Identifiers 2.0 section 4). Every ID that a client gives is read here.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// What a path must not have unescaped in the query of an IVOID.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The dataset identifier of an image (ObsCore's `obs_publisher_did`); `publisher` is an IVOID without a query.
pub fn write(publisher: &str, collection: &str, path: &str) -> String {
    format!(
        "{publisher}?{}/{}",
        utf8_percent_encode(collection, UNSAFE),
        utf8_percent_encode(path, UNSAFE)
    )
}

/// The collection and path of an ID in either form. Which publisher it has is not looked at, so that identifiers outlive
/// a change of that setting.
pub fn read(id: &str) -> Option<(String, String)> {
    let is_ivoid = id
        .get(..6)
        .is_some_and(|start| start.eq_ignore_ascii_case("ivo://"));
    let local = if is_ivoid {
        let (_, encoded) = id.split_once('?')?;
        percent_decode_str(encoded).decode_utf8().ok()?.into_owned()
    } else {
        id.to_owned()
    };
    let (collection, path) = local.split_once('/')?;
    (!collection.is_empty() && !path.is_empty()).then(|| (collection.to_owned(), path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_the_same_image() {
        for path in ["a.fits", "deep/er/b c+d.fits.fz", "100%.fits", "é?x=#1&2.fits"] {
            let did = write("ivo://example.org/sky", "maps", path);
            assert!(did.is_ascii() && !did.contains([' ', '#', '&', '+']), "{did}");
            let named = Some(("maps".to_owned(), path.to_owned()));
            assert_eq!(read(&did), named, "{did}");
            assert_eq!(read(&did.replacen("ivo", "IVO", 1)), named);
            assert_eq!(read(&format!("maps/{path}")), named);
        }
        assert_eq!(
            write("ivo://sidereal/cutout", "maps", "deep/a.fits"),
            "ivo://sidereal/cutout?maps/deep/a.fits"
        );
    }

    #[test]
    fn other_texts_name_none() {
        for id in [
            "",
            "maps",
            "/a",
            "maps/",
            "ivo://x/y",
            "ivo://x/y?maps",
            "ivo://x?%FF/a",
            "é",
            "ivo:/",
        ] {
            assert_eq!(read(id), None, "{id}");
        }
    }
}
