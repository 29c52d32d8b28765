//! The content of results: parts by Range, conditions, and headers that keep it from being a page of ours.

use reqwest::Method;
use serde_json::Value;

use crate::harness::{Backend, Reply, Site, on_both_back_ends};
use crate::uws::{RUN, create};

on_both_back_ends!(parts, conditions, heads, a_result_is_never_a_page_of_ours);

/// The URL of a result of a mebibyte and more, and its bytes.
async fn result(site: &Site) -> (String, Vec<u8>) {
    let text = (0..120_000).fold(String::new(), |text, n| text + &format!("{n:09}"));
    let job = create(site, &[("X", &text), RUN]).await;
    site.wait(&job, "COMPLETED").await;
    let url = format!("{job}/results/result");
    let whole = site.get(&url).await.expect(200);
    assert_eq!(whole.json::<Value>()["X"][0], text.as_str());
    assert_eq!(
        whole.header("content-length"),
        Some(whole.body.len().to_string().as_str())
    );
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    (url, whole.body.to_vec())
}

async fn get(site: &Site, url: &str, headers: &[(&str, &str)]) -> Reply {
    let request = headers
        .iter()
        .fold(site.request(Method::GET, url), |request, (name, value)| {
            request.header(*name, *value)
        });
    site.send(request).await
}

async fn parts(backend: Backend) {
    let site = Site::start(backend).await;
    let (url, whole) = result(&site).await;
    let length = whole.len();
    for (range, first, end) in [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=-5", length - 5, length),
        ("bytes=1000000-", 1_000_000, length),
        ("bytes=1000000-99999999", 1_000_000, length),
        ("bytes=-99999999", 0, length),
        ("bytes=0-", 0, length),
    ] {
        let part = get(&site, &url, &[("Range", range)]).await.expect(206);
        assert!(part.body == whole[first..end], "{range}");
        let content_range = format!("bytes {first}-{}/{length}", end - 1);
        assert_eq!(
            part.header("content-range"),
            Some(content_range.as_str()),
            "{range}"
        );
        assert_eq!(part.header("content-type"), Some("application/json"));
    }
    for range in [
        format!("bytes={length}-"),
        "bytes=99999999-".to_owned(),
        "bytes=-0".to_owned(),
    ] {
        let outside = get(&site, &url, &[("Range", &range)]).await.expect(416);
        assert_eq!(
            outside.header("content-range"),
            Some(format!("bytes */{length}").as_str()),
            "{range}"
        );
    }
    // What is no range of bytes is as if it were not there.
    for range in ["bytes=9-2", "lines=1-2", "nonsense", "bytes=0-1,5-6"] {
        let answer = get(&site, &url, &[("Range", range)]).await;
        assert!(answer.status == 200 && answer.body == whole, "{range}");
    }
}

async fn conditions(backend: Backend) {
    let site = Site::start(backend).await;
    let (url, whole) = result(&site).await;
    let tag = site
        .get(&url)
        .await
        .header("etag")
        .expect("an entity tag")
        .to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    for known in [
        tag.as_str(),
        "*",
        &format!("\"other\", {tag}"),
        &format!("W/{tag}"),
    ] {
        let unchanged = get(&site, &url, &[("If-None-Match", known)]).await.expect(304);
        assert!(unchanged.body.is_empty());
        assert_eq!(unchanged.header("etag"), Some(tag.as_str()));
    }
    let other = get(&site, &url, &[("If-None-Match", "\"other\"")])
        .await
        .expect(200);
    assert!(other.body == whole);
    let part = get(&site, &url, &[("If-Range", &tag), ("Range", "bytes=5-9")])
        .await
        .expect(206);
    assert!(part.body == whole[5..10]);
    for other in ["\"other\"", "Sat, 21 Nov 2026 10:00:00 GMT"] {
        let all = get(&site, &url, &[("If-Range", other), ("Range", "bytes=5-9")])
            .await
            .expect(200);
        assert!(all.body == whole);
    }
    // The same bytes have the same tag, other bytes another one.
    assert_eq!(
        get(&site, &url, &[("Range", "bytes=0-1")]).await.header("etag"),
        Some(tag.as_str())
    );
    let job = create(&site, &[("X", "1"), RUN]).await;
    site.wait(&job, "COMPLETED").await;
    let other = site.get(&format!("{job}/results/result")).await.expect(200);
    assert_ne!(other.header("etag"), Some(tag.as_str()));
}

async fn heads(backend: Backend) {
    let site = Site::start(backend).await;
    let (url, whole) = result(&site).await;
    let head = site.send(site.request(Method::HEAD, &url)).await.expect(200);
    assert_eq!(
        head.header("content-length"),
        Some(whole.len().to_string().as_str())
    );
    assert_eq!(head.header("accept-ranges"), Some("bytes"));
    let request = site
        .request(Method::HEAD, &url)
        .header("If-None-Match", head.header("etag").unwrap());
    site.send(request).await.expect(304);
}

async fn a_result_is_never_a_page_of_ours(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[("X", "<script>alert(1)</script>"), RUN]).await;
    site.wait(&job, "COMPLETED").await;
    for url in [format!("{job}/results/result"), format!("{job}/parameters/X")] {
        for headers in [
            &[] as &[(&str, &str)],
            &[("Accept", "text/html")],
            &[("Range", "bytes=2-8")],
        ] {
            let reply = get(&site, &url, headers).await;
            assert!([200, 206].contains(&reply.status), "{reply:?}");
            assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
            assert!(
                reply
                    .header("content-disposition")
                    .unwrap()
                    .starts_with("attachment; filename=\"")
            );
            assert!(
                reply
                    .header("content-security-policy")
                    .unwrap()
                    .contains("sandbox")
            );
            assert!(!reply.header("content-type").unwrap().contains("html"));
        }
    }
}
