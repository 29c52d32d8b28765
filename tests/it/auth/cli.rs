//! The command line's logins: by the device flow of the real Keycloak; renewed, ended; tokens that go nowhere else; what
//! `sidereal doctor` says of a provider; the commands of docs/signing-in.md.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use sidereal::uws::Timestamp;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use super::oidc;
use crate::harness::{Backend, Browser, Issuer, Realm, Reply, SIDEREAL, Site, fault, named, said};
use crate::readme;

/// A server behind the realm.
async fn served(realm: &Realm) -> Site {
    let site = Site::start_with(Backend::Embedded, &oidc(&realm.issuer(), realm.secret())).await;
    realm.allow(&site.address).await;
    site
}

/// Runs a command that signs in, as this person at some browser; all that it says.
async fn sign_in(mut command: Command, realm: &Realm, user: &str) -> Output {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program");
    let mut said = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("its output"));
    let page = loop {
        let start = said.len();
        let read = out.read_line(&mut said).await.expect("a line");
        assert!(read > 0, "no page to sign in at: {said}");
        if let Some(page) = said[start..].strip_prefix("    http") {
            break format!("http{}", page.trim());
        }
    };
    realm.approve_device(&Browser::default(), &page, user).await;
    out.read_to_string(&mut said).await.expect("the rest");
    let mut output = child.wait_with_output().await.expect("its end");
    output.stdout = said.into_bytes();
    output
}

async fn signed_in(site: &Site, realm: &Realm, user: &str) {
    let output = sign_in(site.command(&["login"]), realm, user).await;
    let text = said(&output);
    assert!(text.contains(&format!("Signed in as {user} (")), "{text}");
}

fn tokens_file(site: &Site) -> PathBuf {
    site.home().join(".config/sidereal/tokens.json")
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn kept(site: &Site) -> Value {
    serde_json::from_slice(&std::fs::read(tokens_file(site)).unwrap()).unwrap()
}

/// Lets the access token that is kept look as if it had ended.
fn age(site: &Site) {
    let mut kept = kept(site);
    kept["servers"][&site.address]["expires"] = json!(1);
    std::fs::write(tokens_file(site), kept.to_string()).unwrap();
}

/// What Keycloak answers to the refresh token of a login.
async fn refresh(realm: &Realm, login: &Value) -> Reply {
    let token = login["refresh"].as_str().expect("a refresh token");
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "sidereal-cli"),
        ("refresh_token", token),
    ];
    realm.grant(&form).await
}

#[tokio::test]
async fn a_person_signs_in_works_and_signs_out() {
    let Some(realm) = Realm::new().await else { return };
    let site = served(&realm).await;
    for command in [&["whoami"][..], &["job", "list"], &["whoami", "--token"]] {
        let (code, text) = fault(&site.run(command).await);
        assert!(
            code == Some(3) && text.contains("not signed in"),
            "{command:?}: {text}"
        );
    }

    signed_in(&site, &realm, "alice").await;
    let file = tokens_file(&site);
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    let me: Value = serde_json::from_str(&said(&site.run(&["whoami", "-o", "json"]).await)).unwrap();
    assert_eq!(
        (&me["name"], &me["roles"], &me["by"], &me["server"]),
        (
            &json!("alice"),
            &json!(["user"]),
            &json!("provider"),
            &json!(site.address)
        )
    );
    let until: Timestamp = me["until"].as_str().expect("a time").parse().unwrap();
    assert!(until > Timestamp::of_this_host(), "{me}");
    let table = said(&site.run(&["whoami"]).await);
    assert!(
        table.contains("alice") && table.contains("sidereal login"),
        "{table}"
    );

    let job = said(&site.run(&["job", "submit", "echo", "A=1", "--wait"]).await);
    let job = job.lines().next().expect("its URL");
    said(&site.run(&["job", "show", job]).await);
    // The login is shown to the server that it is for also when only the URL names it.
    let mut unnamed = site.command(&["job", "show", job]);
    said(&unnamed.env_remove("SIDEREAL_SERVER").output().await.unwrap());

    // A token in the environment wins.
    let mut other = site.command(&["whoami"]);
    other.env("SIDEREAL_TOKEN", realm.token("olga").await);
    assert!(said(&other.output().await.unwrap()).contains("olga"));

    let login = kept(&site)["servers"][&site.address].clone();
    said(&site.run(&["logout"]).await);
    assert_eq!(kept(&site), json!({ "servers": {} }));
    let refused: Value = refresh(&realm, &login).await.expect(400).json();
    assert_eq!(refused["error"], "invalid_grant");
    let (code, _) = fault(&site.run(&["whoami"]).await);
    assert_eq!(code, Some(3));
    assert!(said(&site.run(&["logout"]).await).contains("no login"));
}

#[tokio::test]
async fn a_login_is_renewed_until_it_is_over() {
    let Some(realm) = Realm::new().await else { return };
    let site = served(&realm).await;
    signed_in(&site, &realm, "alice").await;
    let before = kept(&site);
    age(&site);
    // One of them asks Keycloak; none loses what the other was given.
    let commands = (0..4).map(|_| site.run(&["whoami", "--token"]));
    let tokens: Vec<String> = futures::future::join_all(commands)
        .await
        .iter()
        .map(said)
        .collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    let renewed = kept(&site);
    let of = |file: &Value, name: &str| file["servers"][&site.address][name].clone();
    assert_eq!(of(&renewed, "access"), tokens[0].trim());
    for name in ["access", "refresh"] {
        assert_ne!(of(&renewed, name), of(&before, name));
    }
    assert_eq!(mode(&tokens_file(&site)), 0o600);

    // Others could read it: mended, and said.
    std::fs::set_permissions(tokens_file(&site), std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = site.run(&["whoami"]).await;
    assert!(fault(&output).1.contains("others could read it") && output.status.success());
    assert_eq!(mode(&tokens_file(&site)), 0o600);

    realm.set_enabled("alice", false).await;
    age(&site);
    let (code, text) = fault(&site.run(&["whoami"]).await);
    assert!(code == Some(3) && text.contains("is over"), "{text}");
    assert_eq!(kept(&site), json!({ "servers": {} }));
}

#[tokio::test]
async fn a_login_that_nobody_ends_or_that_grants_nothing_is_said() {
    let Some(realm) = Realm::with(&json!({ "oauth2DeviceCodeLifespan": 2 })).await else {
        return;
    };
    let site = served(&realm).await;
    let (code, text) = fault(&site.run(&["login"]).await);
    assert!(
        code == Some(3) && text.contains("nobody signed in in time"),
        "{text}"
    );

    realm.change(&json!({ "oauth2DeviceCodeLifespan": 600 })).await;
    let output = sign_in(site.command(&["login"]), &realm, "norole").await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

/// What two servers of one provider are given is good at both.
#[tokio::test]
async fn a_server_of_a_provider_that_another_login_is_of_is_asked_about() {
    let issuer = Issuer::start();
    let settings = oidc(issuer.issuer(), "a secret that is long enough");
    let site = Site::start_with(Backend::Embedded, &settings).await;
    let keep = |server: &str, issuer: &str| {
        let login = json!({
            "issuer": issuer, "client": "sidereal-cli", "access": "a-kept-token", "refresh": null,
            "expires": 32_000_000_000_u64,
        });
        std::fs::create_dir_all(tokens_file(&site).parent().unwrap()).unwrap();
        let servers = json!({ "servers": { server: login } });
        std::fs::write(tokens_file(&site), servers.to_string()).unwrap();
    };
    // The fake has no device flow: who comes so far has been let in.
    let let_in = async |mut command: Command| {
        let (code, text) = fault(&command.output().await.unwrap());
        let asked = text.contains("https://sky.example.org");
        assert_eq!(
            (code == Some(2), asked),
            (asked, code == Some(2)),
            "{code:?} {text}"
        );
        if asked {
            for part in [&site.address, issuer.issuer(), "--yes"] {
                assert!(text.contains(part), "{text}");
            }
        }
        !asked
    };
    assert!(let_in(site.command(&["login"])).await);
    keep("https://sky.example.org", "https://login.example.org/realms/fake");
    assert!(let_in(site.command(&["login"])).await);
    keep("https://sky.example.org", issuer.issuer());
    assert!(!let_in(site.command(&["login"])).await);
    assert!(let_in(site.command(&["login", "--yes"])).await);
    keep(&site.address, issuer.issuer());
    assert!(let_in(site.command(&["login"])).await);

    // On a terminal a person decides.
    keep("https://sky.example.org", issuer.issuer());
    for (answer, agreed) in [("y\n", true), ("n\n", false), ("\n", false)] {
        let terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
        let mut command = named("python3", site.home());
        command
            .args(["-c", terminal, SIDEREAL, "login", "--server", &site.address])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("Python");
        let mut input = child.stdin.take().expect("its input");
        input.write_all(answer.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("Sign in? [y/N]"), "{text}");
        assert_eq!(output.status.code() != Some(2), agreed, "{answer:?}: {output:?}");
    }
}

#[tokio::test]
async fn a_person_who_agrees_has_logins_at_two_servers_of_one_keycloak() {
    let Some(realm) = Realm::new().await else { return };
    let (site, other) = (served(&realm).await, served(&realm).await);
    signed_in(&site, &realm, "alice").await;
    let login = |flags: &[&str]| {
        let mut command = site.command(&["login", "--server", &other.address]);
        command.args(flags);
        command
    };
    let (code, text) = fault(&login(&[]).output().await.unwrap());
    assert!(code == Some(2) && text.contains(&site.address), "{text}");
    let before = kept(&site)["servers"].as_object().unwrap().len();
    let text = said(&sign_in(login(&["--yes"]), &realm, "alice").await);
    assert!(text.contains("Signed in as alice ("), "{text}");
    assert_eq!(
        (before, kept(&site)["servers"].as_object().unwrap().len()),
        (1, 2)
    );
    // Having agreed once is enough.
    let again = sign_in(login(&[]), &realm, "alice").await;
    assert!(said(&again).contains("Signed in as alice ("));
}

#[tokio::test]
async fn local_mode_needs_no_login() {
    let site = Site::start(Backend::Embedded).await;
    assert!(said(&site.run(&["login"]).await).contains("needs no login"));
    let me = said(&site.run(&["whoami"]).await);
    assert!(me.contains("local") && me.contains("admin"), "{me}");
    assert!(!tokens_file(&site).exists());
}

/// The head of the next request.
async fn request(listener: &TcpListener) -> (String, TcpStream) {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = socket.read_u8().await.unwrap();
        head.push(byte);
    }
    (String::from_utf8(head).unwrap().to_lowercase(), socket)
}

#[tokio::test]
async fn a_token_goes_to_its_server_and_to_no_other() {
    let site = Site::start(Backend::Embedded).await;
    let (first, second) = (
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let folder = tokens_file(&site).parent().unwrap().to_owned();
    std::fs::create_dir_all(&folder).unwrap();
    let login = json!({
        "issuer": "http://127.0.0.1:1/", "client": "sidereal-cli", "access": "a-kept-token", "refresh": null,
        "expires": 32_000_000_000_u64,
    });
    let servers = json!({ "servers": { url(&first): login } });
    std::fs::write(tokens_file(&site), servers.to_string()).unwrap();

    // A redirect is not followed.
    let elsewhere = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: {}/elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        url(&second)
    );
    for token in [None, Some("sdr_in-the-environment")] {
        let mut command = site.command(&["whoami", "--server", &url(&first)]);
        command.envs(token.map(|token| ("SIDEREAL_TOKEN", token)));
        let answer = async {
            let (head, mut socket) = request(&first).await;
            socket.write_all(elsewhere.as_bytes()).await.unwrap();
            head
        };
        let (output, head) = tokio::join!(command.output(), answer);
        let shown = format!("authorization: bearer {}\r\n", token.unwrap_or("a-kept-token"));
        assert!(head.contains(&shown), "{head}");
        assert_eq!(fault(&output.unwrap()).0, Some(5));
    }

    // So the first to come to the second server is this, which has no login there.
    let mut command = site.command(&["whoami", "--server", &url(&second)]);
    let answer = async {
        let (head, mut socket) = request(&second).await;
        let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        socket.write_all(answer).await.unwrap();
        head
    };
    let (output, head) = tokio::join!(command.output(), answer);
    assert!(
        head.starts_with("get /api/v1/me ") && !head.contains("authorization"),
        "{head}"
    );
    assert_eq!(fault(&output.unwrap()).0, Some(3));

    // Nothing goes over the network in the open, not even a question for the name.
    let mut exposed = site.command(&["whoami", "--server", "http://sky.example.invalid"]);
    exposed.env("SIDEREAL_TOKEN", "sdr_in-the-environment");
    let (code, text) = fault(&exposed.output().await.unwrap());
    assert!(code == Some(2) && text.contains("plain http"), "{text}");
}

/// What the doctor says of the login, with other settings; and whether it finds anything wrong with it.
async fn examined(site: &Site, settings: &[(&str, &str)]) -> (bool, String) {
    let mut command = site.command(&["doctor"]);
    // As the server that is running, whose port it does not know.
    command
        .env("SIDEREAL_PUBLIC_URL", &site.address)
        .envs(settings.iter().copied());
    let output = command.output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(" login ")).collect();
    assert!(!lines.is_empty(), "{text}");
    (lines.iter().all(|line| line.starts_with("ok ")), lines.join("\n"))
}

#[tokio::test]
async fn the_doctor_explains_what_is_wrong_with_the_provider() {
    let Some(realm) = Realm::new().await else { return };
    let site = served(&realm).await;
    let (good, text) = examined(&site, &[]).await;
    assert!(good && text.contains("the clocks agree"), "{text}");
    let alice = realm.token("alice").await;
    let (good, text) = examined(&site, &[("SIDEREAL_TOKEN", &alice)]).await;
    assert!(
        good && text.contains("the token of alice is for sidereal-api"),
        "{text}"
    );
    let internal = realm.internal_url();
    let (good, text) = examined(&site, &[("SIDEREAL_AUTH__INTERNAL_URL", &internal)]).await;
    assert!(good, "{text}");

    let nowhere = realm.issuer() + "-that-is-none";
    let norole = realm.token("norole").await;
    let issuer = realm.issuer();
    for (settings, words) in [
        // Both names are said.
        (
            &[("SIDEREAL_AUTH__ISSUER", internal.as_str())][..],
            &[issuer.as_str(), &internal][..],
        ),
        (&[("SIDEREAL_AUTH__ISSUER", &nowhere)], &["404", "auth.issuer"]),
        (
            &[("SIDEREAL_AUTH__ISSUER", "http://127.0.0.1:1/realms/sky")],
            &["does not answer", "refused"],
        ),
        (
            &[("SIDEREAL_AUTH__CLIENT_SECRET", "not the secret of it")],
            &["unauthorized_client", "auth.client_secret"],
        ),
        (
            &[("SIDEREAL_AUTH__CLIENT_ID", "nobody")],
            &["invalid_client", "nobody"],
        ),
        (
            &[("SIDEREAL_AUTH__AUDIENCE", "sky-api")],
            &["no client sky-api", "auth.audience"],
        ),
        (
            &[
                ("SIDEREAL_AUTH__AUDIENCE", "sidereal-web"),
                ("SIDEREAL_TOKEN", &alice),
            ],
            &["mapper", "Included Client Audience sidereal-web"],
        ),
        (
            &[("SIDEREAL_TOKEN", &norole)],
            &["norole", "roles user, operator, admin"],
        ),
        (
            &[("SIDEREAL_PUBLIC_URL", "https://sky.example.org")],
            &["https://sky.example.org/account/callback", "redirect URI"],
        ),
    ] {
        let (good, text) = examined(&site, settings).await;
        assert!(
            !good && words.iter().all(|word| text.contains(word)),
            "{settings:?}: {text}"
        );
    }
}

#[tokio::test]
async fn the_doctor_tells_a_clock_that_is_wrong() {
    let issuer = Issuer::start();
    let site = Site::start_with(
        Backend::Embedded,
        &oidc(issuer.issuer(), "a secret that is long enough"),
    )
    .await;
    let now = Timestamp::of_this_host().millis() / 1_000;
    let token = issuer.token(&json!({ "iat": now + 600, "exp": now + 900 }));
    let (good, text) = examined(&site, &[("SIDEREAL_TOKEN", &token)]).await;
    assert!(!good && text.contains("s behind the provider's"), "{text}");
}

#[tokio::test]
async fn the_readme_shows_how_a_person_a_script_and_a_service_sign_in() {
    let Some(realm) = Realm::new().await else { return };
    let site = served(&realm).await;
    let block = |block: &str| {
        let block = block
            .replace("https://sky.example.org", &site.address)
            .replace("https://login.example.org/realms/sidereal", &realm.issuer());
        let mut command = named("bash", site.home());
        command
            .args(["-euc", &block])
            .env("SIDEREAL_SERVER", &site.address)
            .env("WORKER_SECRET", Realm::worker_secret());
        command
    };
    let blocks = readme::blocks(readme::SIGNING_IN, "sh");
    let [person, script, service] = blocks.as_slice() else {
        panic!("three blocks, not {blocks:?}")
    };
    let text = said(&sign_in(block(person), &realm, "bob").await);
    assert!(
        text.contains("Signed in as bob (user).") && text.contains("name         bob"),
        "{text}"
    );
    let text = said(&block(script).output().await.unwrap());
    assert!(text.contains("COMPLETED") && text.contains("\"items\""), "{text}");
    let text = said(&block(service).output().await.unwrap());
    assert!(text.contains("service-account-sidereal-worker"), "{text}");
}
