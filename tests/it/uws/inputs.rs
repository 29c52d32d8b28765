//! Parameters as they come: forms, multipart, the query, files, references (requirements 6, 25, 41, 70 to 74, 78).

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::xml::Element;
use super::{LIST, RUN, create, days_ahead, phase};
use crate::harness::{Backend, Site, on_both_back_ends};

on_both_back_ends!(
    a_job_is_created_by_every_kind_of_body,
    a_part_of_the_query_is_a_part_of_the_form,
    a_file_is_shown_by_reference,
    an_upload_refers_to_a_part,
    a_long_value_is_shown_by_reference,
    single_values_are_given_once,
    common_parameters_are_known_everywhere,
    bodies_that_cannot_be_read,
    names_and_numbers_of_parameters_are_bounded,
    uploads_go_with_their_job,
    an_upload_goes_when_another_takes_its_place,
);

/// What echo says that it was given.
async fn echoed(site: &Site, job: &str) -> Value {
    if phase(site, job).await == "PENDING" {
        site.post(&format!("{job}/phase"), &[RUN]).await.expect(303);
    }
    site.wait(job, "COMPLETED").await;
    site.get(&format!("{job}/results/result"))
        .await
        .expect(200)
        .json()
}

async fn post(site: &Site, path: &str, form: Form) -> String {
    let request = site.request(Method::POST, path).multipart(form);
    site.send(request).await.expect(303).location().to_owned()
}

/// 24, 25, 70, 71.
async fn a_job_is_created_by_every_kind_of_body(backend: Backend) {
    let site = Site::start(backend).await;
    let wanted = json!({"RA": ["1.5", "2"], "NOTE": ["a & b = c + d é"]});
    let urlencoded = [("ra", "1.5"), ("note", "a & b = c + d é"), ("Ra", "2")];
    let job = create(&site, &urlencoded).await;
    assert_eq!(phase(&site, &job).await, "PENDING");
    assert_eq!(echoed(&site, &job).await, wanted);

    let form = || {
        Form::new()
            .text("ra", "1.5")
            .text("note", "a & b = c + d é")
            .text("Ra", "2")
    };
    assert_eq!(echoed(&site, &post(&site, LIST, form()).await).await, wanted);
    // Astroquery's Gaia sends PHASE=RUN in the body, the standard speaks of the query.
    let started = post(&site, LIST, form().text("phase", "RUN")).await;
    assert_ne!(phase(&site, &started).await, "PENDING");
    assert_eq!(echoed(&site, &started).await, wanted);
    let started = post(&site, &format!("{LIST}?PHASE=RUN"), form()).await;
    assert_ne!(phase(&site, &started).await, "PENDING");

    // Nothing at all, with and without a type.
    let empty = site.post(LIST, &[]).await.expect(303).location().to_owned();
    assert_eq!(echoed(&site, &empty).await, json!({}));
    let request = site
        .request(Method::POST, LIST)
        .header("Content-Type", "application/x-www-form-urlencoded");
    let empty = site
        .send(request.body(""))
        .await
        .expect(303)
        .location()
        .to_owned();
    assert_eq!(echoed(&site, &empty).await, json!({}));
    // The type may say more.
    let request = site
        .request(Method::POST, LIST)
        .header("Content-Type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8")
        .body("&&A&B=&=&C=1%2B1&");
    let reply = site.send(request).await;
    if reply.status == 303 {
        assert_eq!(
            echoed(&site, reply.location()).await,
            json!({"A": [""], "B": [""], "C": ["1+1"]})
        );
    } else {
        assert!(reply.expect(400).text().starts_with("UsageError: "));
    }
}

/// 70.
async fn a_part_of_the_query_is_a_part_of_the_form(backend: Backend) {
    let site = Site::start(backend).await;
    let alone = site
        .post(&format!("{LIST}?X=1&x=2&PHASE=RUN"), &[])
        .await
        .expect(303)
        .location()
        .to_owned();
    assert_eq!(echoed(&site, &alone).await, json!({"X": ["1", "2"]}));
    let both = site
        .post(&format!("{LIST}?X=1"), &[("X", "2"), RUN])
        .await
        .expect(303)
        .location()
        .to_owned();
    assert_eq!(echoed(&site, &both).await, json!({"X": ["1", "2"]}));
    site.post(&format!("{LIST}?PHASE=RUN"), &[RUN]).await.expect(400);

    let job = create(&site, &[]).await;
    site.post(&format!("{job}/parameters?Y=1"), &[]).await.expect(303);
    site.post(&format!("{job}/executionduration?EXECUTIONDURATION=7"), &[])
        .await
        .expect(303);
    let day = days_ahead(100);
    site.post(&format!("{job}/destruction?destruction={day}"), &[])
        .await
        .expect(303);
    assert_eq!(site.get(&format!("{job}/executionduration")).await.text(), "7");
    site.post(&format!("{job}/phase?PHASE=RUN"), &[])
        .await
        .expect(303);
    assert_eq!(echoed(&site, &job).await, json!({"Y": ["1"]}));
    site.post(&format!("{job}?ACTION=DELETE"), &[]).await.expect(303);
    site.get(&job).await.expect(404);
}

/// The one parameter of this name, which must be by reference; its content.
async fn referenced(site: &Site, job: &str, name: &str) -> (String, Vec<u8>) {
    let document = Element::of(&site.get(job).await.expect(200));
    let parameters = &document.child("uws:parameters").children;
    let parameter = parameters
        .iter()
        .find(|parameter| parameter.attribute("id") == name)
        .expect("the parameter");
    assert_eq!(parameter.attribute("byReference"), "true");
    assert_eq!(parameter.text, format!("{job}/parameters/{name}"));
    let reply = site.get(&parameter.text).await.expect(200);
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    (
        reply.header("content-type").unwrap().to_owned(),
        reply.body.to_vec(),
    )
}

/// 41, 74.
async fn a_file_is_shown_by_reference(backend: Backend) {
    let site = Site::start(backend).await;
    let bytes: Vec<u8> = (0..=255).collect();
    let csv = Part::text("RA,DEC\n1,2\n")
        .file_name("../../positions.csv")
        .mime_str("text/csv")
        .unwrap();
    let blob = Part::bytes(bytes.clone())
        .file_name("blob")
        .mime_str("application/octet-stream")
        .unwrap();
    let page = Part::text("<script>alert(1)</script>")
        .file_name("x.html")
        .mime_str("text/html")
        .unwrap();
    let form = Form::new()
        .part("Positions", csv)
        .part("BLOB", blob)
        .part("PAGE", page)
        .text("X", "1");
    let job = post(&site, LIST, form).await;
    assert_eq!(
        referenced(&site, &job, "POSITIONS").await,
        ("text/csv".to_owned(), b"RA,DEC\n1,2\n".to_vec())
    );
    assert_eq!(referenced(&site, &job, "BLOB").await.1, bytes);
    // It is never a page of ours.
    referenced(&site, &job, "PAGE").await;
    let page = site.get(&format!("{job}/parameters/PAGE")).await.expect(200);
    assert!(
        page.header("content-disposition")
            .unwrap()
            .starts_with("attachment")
    );
    assert!(
        page.header("content-security-policy")
            .unwrap()
            .contains("sandbox")
    );
    // Another file under that name takes its place.
    let newer = Part::text("RA,DEC\n3,4\n").file_name("newer.csv");
    let request = site.request(Method::POST, &format!("{job}/parameters"));
    site.send(request.multipart(Form::new().part("POSITIONS", newer)))
        .await
        .expect(303);
    assert_eq!(referenced(&site, &job, "POSITIONS").await.1, b"RA,DEC\n3,4\n");
    assert_eq!(site.get(&format!("{job}/parameters/X")).await.text(), "1");
}

/// 74, 78: only `param:` by now.
async fn an_upload_refers_to_a_part(backend: Backend) {
    let site = Site::start(backend).await;
    let part = || {
        Part::text("RA,DEC\n1,2\n")
            .file_name("a.csv")
            .mime_str("text/csv")
            .unwrap()
    };
    let form = Form::new()
        .text("UPLOAD", "positions,param:tbl")
        .part("tbl", part());
    let job = post(&site, LIST, form).await;
    assert_eq!(referenced(&site, &job, "POSITIONS").await.1, b"RA,DEC\n1,2\n");
    let document = Element::of(&site.get(&format!("{job}/parameters")).await.expect(200));
    assert_eq!(document.children.len(), 1, "{}", document.outline());
    // Two of them, and a part that is text.
    let form = Form::new()
        .text("upload", "a,param:one;b,param:two")
        .part("two", part())
        .text("one", "1");
    let job = post(&site, LIST, form).await;
    assert_eq!(referenced(&site, &job, "A").await.1, b"1");
    assert_eq!(referenced(&site, &job, "B").await.1, b"RA,DEC\n1,2\n");

    for upload in [
        "positions,param:none",
        "positions",
        "positions,",
        ",param:tbl",
        "positions,tbl",
        "positions,http://127.0.0.1:1/x",
        "positions,file:///etc/passwd",
    ] {
        let form = Form::new().text("UPLOAD", upload).part("tbl", part());
        let request = site.request(Method::POST, LIST).multipart(form);
        let refused = site.send(request).await.expect(400);
        assert!(
            refused.text().starts_with("UsageError: UPLOAD: "),
            "{upload}: {}",
            refused.text()
        );
    }
}

async fn a_long_value_is_shown_by_reference(backend: Backend) {
    let site = Site::start(backend).await;
    let long = "RA,DEC\n".to_owned() + &"10.5,-3\n".repeat(50_000);
    let job = create(&site, &[("POSITIONS", &long), ("X", &"x".repeat(4_096))]).await;
    assert_eq!(referenced(&site, &job, "POSITIONS").await.1, long.as_bytes());
    let document = Element::of(&site.get(&job).await.expect(200));
    let parameters = &document.child("uws:parameters").children;
    let short = parameters
        .iter()
        .find(|parameter| parameter.attribute("id") == "X")
        .unwrap();
    assert_eq!(short.text.len(), 4_096);
}

/// 72.
async fn single_values_are_given_once(backend: Backend) {
    let site = Site::start(backend).await;
    let job = create(&site, &[]).await;
    for (url, pair) in [
        (LIST.to_owned(), ("SLEEP", "0")),
        (LIST.to_owned(), ("FAIL", "fatal")),
        (LIST.to_owned(), ("RUNID", "x")),
        (LIST.to_owned(), ("MAXREC", "1")),
        (LIST.to_owned(), ("RESPONSEFORMAT", "json")),
        (LIST.to_owned(), ("DESTRUCTION", "2999")),
        (format!("{job}/phase"), RUN),
        (format!("{job}/parameters"), ("SLEEP", "0")),
        (job.clone(), ("ACTION", "DELETE")),
    ] {
        let lower = pair.0.to_lowercase();
        let refused = site.post(&url, &[pair, (&lower, pair.1)]).await.expect(400);
        let expected = format!("MultiValuedParamNotSupported: {}: ", pair.0);
        assert!(refused.text().starts_with(&expected), "{}", refused.text());
    }
    for query in ["LAST=1&LAST=1", "AFTER=2015&AFTER=2015", "last=1&LAST=1"] {
        let refused = site.get(&format!("{LIST}?{query}")).await.expect(400);
        assert!(
            refused.text().starts_with("MultiValuedParamNotSupported: "),
            "{}",
            refused.text()
        );
    }
    assert_eq!(phase(&site, &job).await, "PENDING");
}

/// 77, 78: RUNID, MAXREC, RESPONSEFORMAT.
async fn common_parameters_are_known_everywhere(backend: Backend) {
    let site = Site::start(backend).await;
    for (list, format) in [
        (LIST, "application/json"),
        ("/api/cutout/async", "application/fits"),
    ] {
        let form = [("RUNID", "r"), ("maxrec", "100"), ("RESPONSEFORMAT", format)];
        let job = site.post(list, &form).await.expect(303).location().to_owned();
        let document = Element::of(&site.get(&job).await.expect(200));
        assert_eq!(document.child("uws:runId").text, "r");
        for maxrec in ["-1", "many", "1.5", ""] {
            let refused = site.post(list, &[("MAXREC", maxrec)]).await.expect(400);
            assert!(
                refused.text().starts_with("UsageError: MAXREC: "),
                "{}",
                refused.text()
            );
        }
    }
}

async fn bodies_that_cannot_be_read(backend: Backend) {
    const FORM: &str = "application/x-www-form-urlencoded";
    const MULTIPART: &str = "multipart/form-data; boundary=x";
    let site = Site::start(backend).await;
    for (media_type, body, status) in [
        (FORM, &b"X=%FF%FE"[..], 400),
        (FORM, b"%FF=1", 400),
        (FORM, b"X=a%00b", 400),
        (
            MULTIPART,
            b"--x\r\nContent-Disposition: form-data; name=\"A\"\r\n\r\n1",
            400,
        ),
        (MULTIPART, b"not at all", 400),
        (
            MULTIPART,
            b"--x\r\nContent-Disposition: form-data; name=\"A\"\r\n\r\n\xff\xfe\r\n--x--\r\n",
            400,
        ),
        ("multipart/form-data", b"--x--\r\n", 400),
        ("application/json", b"{}", 415),
        ("text/csv", b"RA,DEC\n", 415),
        ("nonsense", b"x", 415),
    ] {
        let request = site
            .request(Method::POST, LIST)
            .header("Content-Type", media_type)
            .body(body);
        let reply = site.send(request).await;
        assert_eq!(
            reply.status,
            status,
            "{media_type} {:?}: {}",
            String::from_utf8_lossy(body),
            reply.text()
        );
        assert!(!reply.text().is_empty());
    }
    let list: Value = site.get_json(LIST).await;
    assert_eq!(list["jobs"].as_array().unwrap().len(), 0);
}

async fn names_and_numbers_of_parameters_are_bounded(backend: Backend) {
    let site = Site::start(backend).await;
    let long = "N".repeat(65);
    for name in [long.as_str(), "a b", "<x>", "é", "a/b", "a\nb"] {
        let refused = site.post(LIST, &[(name, "1")]).await.expect(400);
        assert!(
            refused.text().starts_with("UsageError: "),
            "{name:?}: {}",
            refused.text()
        );
    }
    let names: Vec<String> = (0..1_001).map(|n| format!("P{n}")).collect();
    let form: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    create(&site, &form[..1_000]).await;
    let refused = site.post(LIST, &form).await.expect(400);
    assert!(refused.text().contains("1000"), "{}", refused.text());
}

async fn uploads_go_with_their_job(backend: Backend) {
    let site = Site::start(backend).await;
    let form = || Form::new().part("A", Part::text("1").file_name("a"));
    let job = post(&site, LIST, form()).await;
    assert_eq!(site.object_names().await.len(), 1);
    site.delete(&job).await.expect(303);
    assert!(site.object_names().await.is_empty());
    // One that is refused leaves nothing.
    let request = site
        .request(Method::POST, LIST)
        .multipart(form().text("SLEEP", "long"));
    site.send(request).await.expect(400);
    assert!(site.object_names().await.is_empty());
}

/// 40, 74: a job holds no more than it names.
async fn an_upload_goes_when_another_takes_its_place(backend: Backend) {
    let site = Site::start(backend).await;
    let file =
        |name: &'static str, text: &'static str| Form::new().part(name, Part::text(text).file_name("f"));
    let job = post(
        &site,
        LIST,
        file("A", "1").part("B", Part::text("2").file_name("f")),
    )
    .await;
    let url = format!("{job}/parameters");
    let first = site.object_names().await;
    assert_eq!(first.len(), 2);

    post(&site, &url, file("a", "3")).await;
    assert_eq!(referenced(&site, &job, "A").await.1, b"3");
    assert_eq!(referenced(&site, &job, "B").await.1, b"2");
    let second = site.object_names().await;
    assert_eq!(second.len(), 2);
    assert_eq!(second.iter().filter(|name| first.contains(name)).count(), 1);
    // Nor does one that was refused stay, for what it is or for when it comes.
    let request = site.request(Method::POST, &url);
    let refused = request.multipart(file("A", "4").text("SLEEP", "long"));
    site.send(refused).await.expect(400);
    assert_eq!(site.object_names().await, second);
    // A text in its place.
    site.post(&url, &[("B", "5")]).await.expect(303);
    assert_eq!(site.object_names().await.len(), 1);

    assert_eq!(echoed(&site, &job).await, json!({"A": ["3"], "B": ["5"]}));
    let request = site.request(Method::POST, &url);
    site.send(request.multipart(file("A", "6"))).await.expect(403);
    assert_eq!(referenced(&site, &job, "A").await.1, b"3");
}
