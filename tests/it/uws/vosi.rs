//! What a service says of itself: VOSI's capabilities and availability, DALI's examples (requirements 75, 79 to 81).

use super::xml::{Element, is_time};
use super::{LIST, create};
use crate::harness::{Backend, Site, on_both_back_ends};

on_both_back_ends!(capabilities, availability, examples);

/// The documents are valid by their schemas, which refuse SODA's own example.
async fn capabilities(backend: Backend) {
    let site = Site::start(backend).await;
    for service in ["echo", "cutout"] {
        let base = format!("{}/api/{service}", site.address);
        let document = Element::of(&site.get(&format!("{base}/capabilities")).await.expect(200));
        assert_eq!(document.name, "vosi:capabilities");
        let url_of = |standard: &str| {
            let capability = document
                .children
                .iter()
                .find(|child| child.attribute("standardID") == standard);
            let capability = capability.unwrap_or_else(|| panic!("no {standard} in {}", document.outline()));
            capability
                .child("interface")
                .child("accessURL")
                .text
                .trim()
                .to_owned()
        };
        for (standard, path) in [
            ("ivo://ivoa.net/std/VOSI#capabilities", "capabilities"),
            ("ivo://ivoa.net/std/VOSI#availability", "availability"),
            ("ivo://ivoa.net/std/UWS#rest-1.1", "async"),
        ] {
            assert_eq!(url_of(standard), format!("{base}/{path}"));
            site.get(&url_of(standard)).await.expect(200);
        }
        if service == "cutout" {
            for (standard, path) in [
                ("ivo://ivoa.net/std/SIA#query-2.0", "query"),
                ("ivo://ivoa.net/std/DataLink#links-1.1", "links"),
                ("ivo://ivoa.net/std/DALI#examples", "examples"),
            ] {
                assert_eq!(url_of(standard), format!("{base}/{path}"));
                site.get(&url_of(standard)).await.expect(200);
            }
            for (standard, path) in [
                ("ivo://ivoa.net/std/SODA#sync-1.0", "sync"),
                ("ivo://ivoa.net/std/SODA#async-1.0", "async"),
            ] {
                assert_eq!(url_of(standard), format!("{base}/{path}"));
            }
        }
    }
    site.get("/api/none/capabilities").await.expect(404);
}

async fn availability(backend: Backend) {
    let site = Site::start(backend).await;
    create(&site, &[]).await;
    for service in ["echo", "cutout"] {
        let document = Element::of(
            &site
                .get(&format!("/api/{service}/availability"))
                .await
                .expect(200),
        );
        assert_eq!(document.name, "vosi:availability");
        assert_eq!(document.child("vosi:available").text, "true");
        assert!(is_time(&document.child("vosi:upSince").text));
    }
    site.get(LIST).await.expect(200);
}

/// An XHTML page, or 404 where a service has none.
async fn examples(backend: Backend) {
    let site = Site::start(backend).await;
    for service in ["echo", "cutout"] {
        let reply = site.get(&format!("/api/{service}/examples")).await;
        if reply.status == 404 {
            continue;
        }
        let reply = reply.expect(200);
        assert!(
            reply.header("content-type").unwrap().contains("html"),
            "{reply:?}"
        );
        assert_eq!(Element::parse(&reply.text()).name, "xhtml:html");
    }
    site.get("/api/none/examples").await.expect(404);
}
