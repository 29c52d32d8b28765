//! `sidereal deploy` with tools that only note how they are called: exact commands, and what follows when one fails.

use std::process::Stdio;

use serde_json::Value;

use crate::harness::{DIGEST, Workshop, fault, said};

const ALL: &[&str] = &["sky", "--env", "dev1", "--build", "--push", "--deploy", "--test"];
const AT_HELM: &str = "--kube-context development --namespace sky-dev1";
const AT: &str = "--context development --namespace sky-dev1";

/// Values of an image of dev1 as Helm is told.
fn image(tag: &str, digest: &str) -> String {
    format!(
        "--set-string image.repository=dev.example.org/sky --set-string image.tag={tag} --set-string image.digest={digest}"
    )
}

/// Those of the notes that begin with one of these, for the commands that matter to a test.
fn only(notes: &[String], beginnings: &[&str]) -> Vec<String> {
    let begins = |note: &&String| beginnings.iter().any(|beginning| note.starts_with(beginning));
    notes.iter().filter(begins).cloned().collect()
}

#[tokio::test]
async fn everything_in_its_order() {
    let workshop = Workshop::new();
    let (tag, name) = (
        workshop.head(),
        format!("dev.example.org/sky:{}", workshop.head()),
    );
    let output = workshop.run(ALL).await;
    said(&output);
    let values = format!("--values charts/sky/values-dev1.yaml {}", image(&tag, DIGEST));
    let rollout = format!("kubectl rollout status --watch --timeout=10m {AT}");
    let inspect = format!("docker buildx imagetools inspect --format {{{{json .Manifest}}}} {name}");
    assert_eq!(
        workshop.notes(),
        [
            "helm version --template {{.Version}}",
            "kubectl config current-context",
            "docker login dev.example.org --username robot --password-stdin",
            "< hunter2",
            &format!("kubectl auth can-i create deployments.apps {AT}"),
            &inspect,
            &format!("docker buildx build --load --file Dockerfile --target runtime --tag {name} ."),
            &format!("docker push {name}"),
            &inspect,
            &format!("helm lint charts/sky --strict {AT_HELM} {values}"),
            &format!("helm history sky --output json {AT_HELM}"),
            &format!(
                "helm upgrade --install sky charts/sky --create-namespace {AT_HELM} {values} --rollback-on-failure \
                 --wait=watcher --wait-for-jobs --timeout 10m --cleanup-on-fail --history-max 10"
            ),
            &format!(
                "kubectl get deployments,statefulsets,daemonsets --selector app.kubernetes.io/instance=sky --output \
                 name {AT}"
            ),
            &format!("{rollout} deployment.apps/sky-api"),
            &format!("{rollout} statefulset.apps/sky-db"),
            &format!("{rollout} daemonset.apps/sky-log"),
            &format!("helm test sky --timeout 10m {AT_HELM}"),
        ]
    );
    // What is said has no password in it either.
    let text = format!("{output:?}");
    assert!(
        !text.contains("hunter2") && text.contains("https://dev1.example.org"),
        "{text}"
    );

    // Once more: what is in the registry is not built again, and nothing is pulled to know it.
    said(
        &workshop
            .run(&["sky", "--env", "dev1", "--no-setup", "--build", "--push"])
            .await,
    );
    assert_eq!(only(&workshop.notes(), &["docker"]), [inspect]);
}

#[tokio::test]
async fn options_change_the_commands() {
    let workshop = Workshop::new();
    let tag = workshop.head();
    workshop.write("more.yaml", "{}");
    let more = workshop.root.join("more.yaml").display().to_string();
    let upgrade = |values: &str, rest: &str| {
        format!(
            "helm upgrade --install sky charts/sky --create-namespace {AT_HELM} --values charts/sky/values-dev1.yaml {values}{rest}"
        )
    };
    let waiting = " --rollback-on-failure --wait=watcher --wait-for-jobs";
    let end = " --timeout 10m --cleanup-on-fail --history-max 10";
    // A tag that is all digits stays a text, and a digest in a file does not win over it.
    let named = image("1234567", "");
    let cases: &[(&[&str], String)] = &[
        (
            &["--image-tag", "1234567"],
            upgrade(&named, &format!("{waiting}{end}")),
        ),
        (&["--image-tag", "1234567", "--no-wait"], upgrade(&named, end)),
        (
            &[
                "--image-tag",
                "1234567",
                "--no-rollback",
                "--timeout",
                "8s",
                "--history-max",
                "3",
            ],
            upgrade(
                &named,
                " --wait=watcher --wait-for-jobs --timeout 8s --cleanup-on-fail --history-max 3",
            ),
        ),
        (
            &[
                "--values",
                "more.yaml",
                "--set",
                "image.digest=sha256:1,replicas=2",
            ],
            format!(
                "helm upgrade --install sky charts/sky --create-namespace {AT_HELM} --values \
                 charts/sky/values-dev1.yaml --values {more} {} --set-string image.digest=sha256:1 --set \
                 replicas=2{waiting}{end}",
                image(&tag, "")
            ),
        ),
    ];
    for (words, expected) in cases {
        let words = [&["sky", "--env", "dev1", "--no-setup", "--deploy"], *words].concat();
        said(&workshop.run(&words).await);
        let notes = workshop.notes();
        assert_eq!(
            only(&notes, &["helm upgrade"]),
            std::slice::from_ref(expected),
            "{words:?}"
        );
        // None asks a registry, logs in, forces anything, or takes over values that no file has.
        for never in ["docker", "--force", "--reuse-values", "helm test"] {
            assert!(
                !notes.iter().any(|note| note.contains(never)),
                "{words:?}: {notes:?}"
            );
        }
        let waits = !words.contains(&"--no-wait");
        assert_eq!(
            notes.iter().any(|note| note.starts_with("kubectl rollout")),
            waits
        );
    }

    workshop.answer("helm-version", "echo v3.21.4+g1");
    let place = ["--namespace", "mine", "--release", "night", "--image-tag", "1"];
    let words = [
        &["sky", "--env", "dev1", "--no-setup", "--deploy", "--update-deps"][..],
        &place,
    ]
    .concat();
    said(&workshop.run(&words).await);
    let helm = only(&workshop.notes(), &["helm upgrade", "helm dependency"]);
    assert_eq!(helm[0], "helm dependency update charts/sky");
    let there = "helm upgrade --install night charts/sky --create-namespace --kube-context development --namespace mine";
    assert!(helm[1].starts_with(there), "{helm:?}");
    assert!(helm[1].contains(" --atomic --wait --wait-for-jobs "), "{helm:?}");

    // Locked dependencies are those of the lock.
    workshop.write("charts/sky/Chart.lock", "");
    said(
        &workshop
            .run(&[
                "sky",
                "--env",
                "dev1",
                "--no-setup",
                "--deploy",
                "--image-tag",
                "1",
            ])
            .await,
    );
    assert_eq!(
        only(&workshop.notes(), &["helm dependency"]),
        ["helm dependency build charts/sky"]
    );
}

#[tokio::test]
async fn each_step_alone() {
    let workshop = Workshop::new();
    said(&workshop.run(&["sky", "--env", "dev1"]).await);
    let setup = workshop.notes();
    assert_eq!(setup.len(), 3, "{setup:?}");

    said(
        &workshop
            .run(&["sky", "--env", "dev1", "--no-setup", "--build"])
            .await,
    );
    let built = workshop.notes();
    assert_eq!(built.len(), 2, "{built:?}");

    // As in the tool that this one follows; what is built already is pushed by a word of its own.
    let output = workshop
        .run(&["sky", "--env", "dev1", "--no-setup", "--push"])
        .await;
    assert!(fault(&output).1.contains("--push is ignored without --build"));
    assert_eq!(workshop.notes(), Vec::<String>::new());
    said(
        &workshop
            .run(&["sky", "--env", "dev1", "--no-setup", "--push-only"])
            .await,
    );
    assert!(workshop.notes()[0].starts_with("docker push dev.example.org/sky:"));
}

/// A revision as Helm tells it.
fn history(revisions: &[(u32, &str, &str)]) -> String {
    let told: Vec<Value> = revisions
        .iter()
        .map(|(revision, status, description)| {
            serde_json::json!({"revision": revision, "status": status, "description": description})
        })
        .collect();
    format!("echo '{}'", Value::from(told))
}

/// What one tool answers, the exit code, what is said, and the last command that is run (of those that change things).
type Case<'a> = (&'a str, &'a str, i32, &'a str, &'a str);

#[tokio::test]
async fn the_first_failure_is_the_last_step() {
    let cases: &[Case] = &[
        (
            "docker-login",
            "exit 1",
            3,
            "login failed with exit code 1",
            "docker login",
        ),
        (
            "kubectl-auth",
            "echo no; exit 1",
            3,
            "does not let you deploy into namespace sky-dev1",
            "kubectl auth",
        ),
        (
            "docker-buildx-build",
            "exit 9",
            4,
            "build failed with exit code 9",
            "docker buildx build",
        ),
        (
            "docker-push",
            "exit 1",
            5,
            "push failed with exit code 1",
            "docker push",
        ),
        // A push that claims to have gone well.
        (
            "docker-push",
            "exit 0",
            5,
            "is not in the registry",
            "docker push",
        ),
        (
            "helm-dependency",
            "exit 1",
            6,
            "dependencies failed",
            "helm dependency",
        ),
        ("sops", "exit 128", 3, "SOPS_AGE_KEY", "sops"),
        ("helm-lint", "exit 1", 6, "lint failed", "helm lint"),
        (
            "helm-upgrade",
            "exit 1",
            6,
            "rolled back: release sky in namespace sky-dev1 was not there",
            "helm upgrade",
        ),
        (
            "kubectl-get-deployments,statefulsets,daemonsets",
            "exit 1",
            8,
            "cannot be listed",
            "helm upgrade",
        ),
        (
            "kubectl-rollout",
            "exit 1",
            8,
            "rollout failed",
            "kubectl rollout",
        ),
        ("helm-test", "exit 1", 8, "test failed", "helm test"),
    ];
    let changing = [
        "docker login",
        "kubectl auth",
        "docker buildx build",
        "docker push",
        "helm dependency",
        "sops",
        "helm lint",
        "helm upgrade",
        "kubectl rollout",
        "helm test",
    ];
    for (tool, answer, code, text, last) in cases {
        let workshop = Workshop::new();
        workshop.write("charts/sky/Chart.lock", "");
        workshop.write("secrets/sky.dev1.yaml", "password: ENC[x]\n");
        workshop.commit();
        workshop.answer(tool, answer);
        let (ended, told) = fault(&workshop.run(ALL).await);
        assert_eq!(ended, Some(*code), "{tool} {answer}: {told}");
        assert!(told.contains(text), "{tool} {answer}: {told}");
        let done = only(&workshop.notes(), &changing);
        assert!(
            done.last().is_some_and(|note| note.starts_with(last)),
            "{tool} {answer}: {done:?}"
        );
        let times = done.iter().filter(|note| note.starts_with(last)).count();
        assert_eq!(times, 1, "{tool} {answer}: {done:?}");
        assert_eq!(workshop.left(), 0, "{tool} {answer}");
    }
}

#[tokio::test]
async fn a_tool_that_is_missing_is_told() {
    for (tool, needs) in [
        ("docker", "--build"),
        ("kubectl", "--deploy"),
        ("helm", "--deploy"),
        ("sops", "--deploy"),
    ] {
        let workshop = Workshop::new();
        workshop.write("secrets/sky.dev1.yaml", "password: ENC[x]\n");
        workshop.commit();
        std::fs::remove_file(workshop.tools.join(tool)).expect("the tool");
        let mut command = workshop.command(&[
            "sky",
            "--env",
            "dev1",
            "--no-setup",
            "--set",
            "image.tag=1",
            needs,
        ]);
        // Only git is the machine's: it may have some of the others.
        std::os::unix::fs::symlink("/usr/bin/git", workshop.tools.join("git")).expect("a link");
        for name in ["sh", "sed", "cat", "stat", "touch"] {
            let path = ["/bin", "/usr/bin"].map(|folder| format!("{folder}/{name}"));
            let path = path
                .iter()
                .find(|path| std::fs::exists(path).unwrap_or(false))
                .expect("a tool of the machine");
            std::os::unix::fs::symlink(path, workshop.tools.join(name)).expect("a link");
        }
        command.env("PATH", &workshop.tools);
        let (code, text) = fault(&command.output().await.expect("sidereal"));
        assert_eq!(code, Some(3), "{tool}: {text}");
        assert!(
            text.contains(&format!("`{tool}` is not on PATH")),
            "{tool}: {text}"
        );
        assert_eq!(workshop.left(), 0, "{tool}");
    }
}

#[tokio::test]
async fn a_failed_upgrade_is_told_with_what_is_left() {
    let good = history(&[(3, "deployed", "Upgrade complete")]);
    let back = history(&[
        (3, "superseded", ""),
        (4, "failed", "x"),
        (5, "deployed", "Rollback to 3"),
    ]);
    let stuck = history(&[(3, "superseded", ""), (4, "failed", "timed out")]);
    let cases: &[(&str, &[&str], i32, &str)] = &[
        (
            &back,
            &[],
            6,
            "rolled back: release sky in namespace sky-dev1 stands at revision 5 (Rollback to 3)",
        ),
        (
            &good,
            &[],
            6,
            "nothing was changed: release sky in namespace sky-dev1 stands at revision 3",
        ),
        (
            &stuck,
            &[],
            7,
            "the rollback failed too: release sky in namespace sky-dev1 is failed at revision 4 (timed out)",
        ),
        (&stuck, &["--no-rollback"], 7, "not rolled back, as was asked for"),
        ("echo 'Error: release: not found' >&2; exit 1", &[], 7, "is gone"),
        (
            "echo 'Error: unreachable' >&2; exit 1",
            &[],
            7,
            "it is not known how release sky",
        ),
    ];
    for (after, words, code, text) in cases {
        let workshop = Workshop::new();
        workshop.answer("helm-history", &good);
        workshop.answer("after", after);
        workshop.answer(
            "helm-upgrade",
            "cp \"$TOOLS/after.sh\" \"$TOOLS/helm-history.sh\"; exit 1",
        );
        workshop.answer("kubectl-get-events", "echo 'Failed to pull image'");
        workshop.answer(
            "kubectl-get-pods",
            r#"echo '{"items":[{"metadata":{"name":"sky-1"},"status":{"phase":"Pending"}}]}'"#,
        );
        workshop.answer("kubectl-logs", "echo 'no such table'");
        let words = [
            &[
                "sky",
                "--env",
                "dev1",
                "--no-setup",
                "--deploy",
                "--image-tag",
                "1",
            ],
            *words,
        ]
        .concat();
        let (ended, told) = fault(&workshop.run(&words).await);
        assert_eq!(ended, Some(*code), "{after}: {told}");
        for part in [
            text,
            "Failed to pull image",
            "pod sky-1 is not ready",
            "no such table",
        ] {
            assert!(told.contains(part), "{after}: {told}");
        }
        let notes = workshop.notes();
        assert!(only(&notes, &["kubectl logs"])[0].contains("sky-1 --all-containers --prefix --tail=50"));
        assert!(
            only(&notes, &["kubectl rollout", "helm test"]).is_empty(),
            "{notes:?}"
        );
    }
}

#[tokio::test]
async fn what_does_not_work_goes_back() {
    let words = [
        "sky",
        "--env",
        "dev1",
        "--no-setup",
        "--deploy",
        "--test",
        "--image-tag",
        "1",
    ];
    for (rollback, extra, code, text) in [
        ("exit 0", None, 8, "rolled back to revision 3"),
        ("exit 1", None, 7, "the rollback to revision 3 failed too"),
        ("exit 0", Some("--no-rollback"), 8, "left as it is"),
    ] {
        let workshop = Workshop::new();
        workshop.answer(
            "helm-history",
            &history(&[(2, "superseded", ""), (3, "deployed", "")]),
        );
        workshop.answer("helm-test", "exit 1");
        workshop.answer("helm-rollback", rollback);
        let words: Vec<&str> = words.iter().copied().chain(extra).collect();
        let (ended, told) = fault(&workshop.run(&words).await);
        assert_eq!(ended, Some(code), "{told}");
        assert!(told.contains(text), "{told}");
        let expected = format!(
            "helm rollback sky 3 {AT_HELM} --wait=watcher --wait-for-jobs --timeout 10m --cleanup-on-fail"
        );
        let expected = if extra.is_none() { vec![expected] } else { vec![] };
        assert_eq!(only(&workshop.notes(), &["helm rollback"]), expected);
    }
}

#[tokio::test]
async fn a_release_without_workloads_is_fine() {
    let workshop = Workshop::new();
    workshop.answer("kubectl-get-deployments,statefulsets,daemonsets", "echo");
    said(
        &workshop
            .run(&[
                "sky",
                "--env",
                "dev1",
                "--no-setup",
                "--deploy",
                "--image-tag",
                "1",
            ])
            .await,
    );
    assert_eq!(
        only(&workshop.notes(), &["kubectl rollout"]),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn another_cluster_is_refused() {
    let workshop = Workshop::new();
    let words = ["sky", "--env", "dev1", "--build", "--push", "--deploy"];
    for (answer, is) in [("echo production", "\"production\""), ("exit 1", "none")] {
        workshop.answer("kubectl-config-current-context", answer);
        for words in [&words[..], &["rollback", "sky", "--env", "dev1"]] {
            let (code, text) = fault(&workshop.run(words).await);
            assert_eq!(code, Some(3), "{text}");
            assert!(
                text.contains(&format!(
                    "the current context is {is}, and dev1 is deployed in \"development\""
                )),
                "{text}"
            );
            let notes = workshop.notes();
            assert!(
                notes
                    .iter()
                    .all(|note| note.starts_with("helm version") || note.starts_with("kubectl config")),
                "{notes:?}"
            );
        }
        // A dry run says so, and goes on.
        let output = workshop.run(&[&words[..], &["--dry-run"]].concat()).await;
        said(&output);
        assert!(
            fault(&output)
                .1
                .contains("this would be refused: the current context")
        );
    }
    // Named by hand, it must be the current one as well.
    workshop.answer("kubectl-config-current-context", "echo mine");
    let mine = [
        "sky",
        "--env",
        "dev1",
        "--no-setup",
        "--deploy",
        "--image-tag",
        "1",
        "--kube-context",
        "mine",
    ];
    said(&workshop.run(&mine).await);
    let there = only(&workshop.notes(), &["helm upgrade"]);
    assert!(there[0].contains("--kube-context mine"), "{there:?}");
}

#[tokio::test]
async fn production_is_meant_or_refused() {
    let workshop = Workshop::new();
    workshop.answer("kubectl-config-current-context", "echo production");
    let words = ["sky", "--no-setup", "--deploy", "--image-tag", "1"];
    let (code, text) = fault(&workshop.run(&words).await);
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("--yes") && only(&workshop.notes(), &["helm upgrade"]).is_empty(),
        "{text}"
    );
    assert_eq!(fault(&workshop.run(&["rollback", "sky"]).await).0, Some(2));
    workshop.notes();
    said(&workshop.run(&[&words[..], &["--yes"]].concat()).await);
    said(
        &workshop
            .command(&words)
            .env("CI", "true")
            .output()
            .await
            .expect("sidereal"),
    );
    assert_eq!(
        fault(
            &workshop
                .command(&words)
                .env("CI", "false")
                .output()
                .await
                .expect("sidereal")
        )
        .0,
        Some(2)
    );
    assert_eq!(only(&workshop.notes(), &["helm upgrade"]).len(), 2);
}

/// The tag that the chart's image would get now.
async fn tag(workshop: &Workshop) -> String {
    let listed: Value =
        serde_json::from_str(&said(&workshop.run(&["list", "-o", "json"]).await)).expect("JSON");
    assert_eq!(listed[0]["chart"], "sky");
    listed[0]["images"][0]
        .as_str()
        .expect("an image")
        .strip_prefix("sky:")
        .expect("its name")
        .to_owned()
}

#[tokio::test]
async fn the_last_commit_of_its_paths_names_an_image() {
    let workshop = Workshop::new();
    let first = workshop.head();
    assert_eq!(tag(&workshop).await, first);
    workshop.write("docs/page", "two");
    workshop.write("charts/sky/values.yaml", "a: 1");
    workshop.commit();
    assert_eq!(tag(&workshop).await, first);
    workshop.write("src/main", "two");
    let second = workshop.commit();
    assert_eq!(tag(&workshop).await, second);

    // Changes that are in no commit, of its paths and of no others.
    workshop.write("docs/page", "three");
    assert_eq!(tag(&workshop).await, second);
    workshop.write("src/main", "three");
    let dirty = tag(&workshop).await;
    let hash = dirty
        .strip_prefix(&format!("{second}-dirty-"))
        .expect("that it is dirty");
    assert!(
        hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{dirty}"
    );
    assert_eq!(tag(&workshop).await, dirty);
    workshop.git(&["add", "src/main"]);
    assert_eq!(tag(&workshop).await, dirty);
    workshop.write("src/new", "one");
    let with_new = tag(&workshop).await;
    workshop.write("src/new", "two");
    let with_other = tag(&workshop).await;
    assert!(dirty != with_new && with_new != with_other && dirty != with_other);
    let third = workshop.commit();
    assert_eq!(tag(&workshop).await, third);

    // A clone that does not go back far enough would give another name.
    let shallow = Workshop::new();
    shallow.git(&[
        "fetch",
        "--quiet",
        "--depth=1",
        &format!("file://{}", workshop.root.display()),
        "main",
    ]);
    shallow.git(&["reset", "--quiet", "--hard", "FETCH_HEAD"]);
    let (code, text) = fault(&shallow.run(&["list"]).await);
    assert!(code == Some(2) && text.contains("shallow"), "{text}");
}

#[tokio::test]
async fn what_is_in_no_commit_does_not_get_to_production() {
    let workshop = Workshop::new();
    workshop.write("src/main", "mine");
    workshop.answer("kubectl-config-current-context", "echo production");
    for words in [["--build", "--push"], ["--deploy", "--yes"]] {
        let (code, text) = fault(&workshop.run(&[&["sky", "--no-setup"], &words[..]].concat()).await);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("changes that are in no commit"), "{text}");
        assert_eq!(
            only(&workshop.notes(), &["docker", "helm upgrade"]),
            Vec::<String>::new()
        );
    }
    // Elsewhere it may, under a name that says so; it is never taken for built already.
    workshop.answer("kubectl-config-current-context", "echo development");
    std::fs::write(workshop.tools.join("pushed"), "").expect("a file");
    let output = workshop
        .run(&[
            "sky",
            "--env",
            "dev1",
            "--no-setup",
            "--build",
            "--push",
            "--deploy",
        ])
        .await;
    said(&output);
    assert!(fault(&output).1.contains("changes that are in no commit"));
    let notes = workshop.notes();
    let pushed = only(&notes, &["docker push"]);
    assert!(
        pushed[0].contains(&format!("{}-dirty-", workshop.head())),
        "{notes:?}"
    );
    assert_eq!(only(&notes, &["docker buildx build"]).len(), 1);

    // Nor into a registry that is production's under another environment's name.
    let file = "charts/sky/environments/dev1.toml";
    let text = std::fs::read_to_string(workshop.root.join(file)).expect("the file");
    workshop.write(file, &text.replace("dev.example.org", "registry.example.org"));
    let (code, text) = fault(
        &workshop
            .run(&["sky", "--env", "dev1", "--no-setup", "--build", "--push"])
            .await,
    );
    assert!(
        code == Some(2) && text.contains("production's registry"),
        "{text}"
    );
}

#[tokio::test]
async fn an_image_that_is_not_in_the_registry_is_not_deployed() {
    let workshop = Workshop::new();
    let (code, text) = fault(
        &workshop
            .run(&["sky", "--env", "dev1", "--no-setup", "--deploy"])
            .await,
    );
    assert_eq!(code, Some(5), "{text}");
    assert!(text.contains("is not in the registry"), "{text}");
    assert_eq!(
        only(&workshop.notes(), &["helm lint", "helm upgrade"]),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn secrets_are_seen_by_helm_alone() {
    let workshop = Workshop::new();
    workshop.write("secrets/sky.dev1.yaml", "password: ENC[x]\n");
    let words = [
        "sky",
        "--env",
        "dev1",
        "--no-setup",
        "--deploy",
        "--image-tag",
        "1",
    ];
    let secret = [
        "--set",
        "auth.clientSecret=xyzzy",
        "--set",
        "url=postgres://me:plugh@host/db",
    ];
    for output in ["text", "json"] {
        let words = [&words[..], &secret, &["--output", output]].concat();
        let done = workshop.run(&words).await;
        let (text, told) = (said(&done), fault(&done).1);
        for word in ["hush", "xyzzy", "plugh"] {
            assert!(
                !text.contains(word) && !told.contains(word),
                "{output}: {text}{told}"
            );
        }
        assert!(
            text.contains("auth.clientSecret=***") && text.contains("me:***@host"),
            "{text}"
        );
        assert!(text.contains("<decrypted secrets/sky.dev1.yaml>"), "{text}");
        let notes = workshop.notes();
        assert!(only(&notes, &["sops"])[0].ends_with("secrets/sky.dev1.yaml"));
        let upgrade = &only(&notes, &["helm upgrade"])[0];
        assert!(
            upgrade.contains("--values charts/sky/values-dev1.yaml --values TEMP --set-string"),
            "{upgrade}"
        );
        assert!(upgrade.contains("auth.clientSecret=xyzzy"), "{upgrade}");
        assert_eq!(only(&notes, &["="]), ["= 600 password: hush"; 2]);
        assert_eq!(workshop.left(), 0);
    }
    // Tools do not get the registry's password by the environment.
    workshop.answer("helm-upgrade", "env >>\"$TOOLS/log\"");
    said(&workshop.run(&words).await);
    assert!(!workshop.notes().iter().any(|note| note.contains("hunter2")));
}

#[tokio::test]
async fn signals_end_it_in_order() {
    for (name, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let workshop = Workshop::new();
        workshop.write("secrets/sky.dev1.yaml", "password: ENC[x]\n");
        workshop.git(&["init", "--quiet"]);
        let ready = workshop.tools.join("ready");
        let made = std::process::Command::new("mkfifo")
            .arg(&ready)
            .status()
            .expect("mkfifo");
        assert!(made.success());
        // It goes on until it is asked to end, and says then that it was.
        workshop.answer(
            "helm-upgrade",
            "sleep 1000 & \n trap 'kill $!; echo ended >>\"$TOOLS/log\"; exit 1' TERM\n echo >\"$TOOLS/ready\"\n wait $!",
        );
        let mut command = workshop.command(&[
            "sky",
            "--env",
            "dev1",
            "--no-setup",
            "--deploy",
            "--image-tag",
            "1",
        ]);
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sidereal");
        let id = child.id().expect("it runs").to_string();
        tokio::task::spawn_blocking(move || std::fs::read(ready))
            .await
            .expect("a thread")
            .expect("that it waits");
        assert_eq!(workshop.left(), 1);
        let sent = std::process::Command::new("sh")
            .args(["-c", &format!("kill -{name} {id}")])
            .status()
            .expect("sh");
        assert!(sent.success());
        let (ended, text) = fault(&child.wait_with_output().await.expect("its end"));
        assert_eq!(ended, Some(code), "{text}");
        assert_eq!(workshop.left(), 0);
        let notes = workshop.notes();
        assert!(
            notes.contains(&"ended".to_owned()) && only(&notes, &["kubectl rollout"]).is_empty(),
            "{notes:?}"
        );
    }
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let workshop = Workshop::new();
    workshop.write("secrets/sky.production.yaml", "password: ENC[x]\n");
    let words = ["sky", "--build", "--push", "--deploy", "--test"];
    let text = said(&workshop.run(&[&words[..], &["--dry-run"]].concat()).await);
    let name = format!("registry.example.org/sky:{}", workshop.head());
    let commands: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let begins = [
        "docker login registry.example.org --username robot --password-stdin",
        "kubectl auth can-i",
        "docker buildx imagetools inspect",
        "docker buildx build --load",
        &format!("docker push {name}"),
        "docker buildx imagetools inspect --format '{{json .Manifest}}'",
        "sops --decrypt --output-type yaml secrets/sky.production.yaml",
        "helm lint charts/sky --strict",
        "helm upgrade --install sky charts/sky --create-namespace --kube-context production --namespace sky",
        "kubectl get deployments,statefulsets,daemonsets",
        "kubectl rollout status --watch --timeout=10m",
        "helm test sky",
    ];
    assert_eq!(commands.len(), begins.len(), "{text}");
    for (command, begin) in commands.iter().zip(begins) {
        assert!(command.starts_with(begin), "{command}");
    }
    assert!(
        text.contains(&format!("'image.digest=<digest of {name}>'")),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(
        workshop.notes(),
        [
            "helm version --template {{.Version}}",
            "kubectl config current-context"
        ]
    );
    // The same by its other name, all steps if none is named; and as events.
    assert!(
        said(
            &workshop
                .run(&["plan", "sky", "--env", "production", "--test"])
                .await
        ) == text
    );
    let events = said(&workshop.run(&["plan", "sky", "-o", "json"]).await);
    let steps: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(
        steps
            .iter()
            .any(|step| step["step"] == "upgrade" && step["argv"][0] == "helm"),
        "{events}"
    );
    workshop.notes();

    workshop.answer(
        "helm-template",
        "printf -- '---\\nkind: Service\\n---\\nkind: Secret\\ndata: xyzzy\\n'",
    );
    let text = said(&workshop.run(&[&words[..], &["--dry-run=client"]].concat()).await);
    assert!(text.ends_with("---\nkind: Service\n"), "{text}");
    let notes = workshop.notes();
    let last: Vec<&str> = notes[notes.len() - 2..].iter().map(|note| &note[..10]).collect();
    assert_eq!(
        (notes.len(), &last[..]),
        (4, &["helm lint ", "helm templ"][..]),
        "{notes:?}"
    );

    let text = said(&workshop.run(&[&words[..], &["--dry-run=server"]].concat()).await);
    let notes = workshop.notes();
    let upgrade = only(&notes, &["helm upgrade"]);
    assert!(
        upgrade[0].ends_with("--dry-run=server --hide-secret"),
        "{notes:?}"
    );
    assert!(!text.contains("hush") && workshop.left() == 0, "{text}");
    assert!(
        only(&notes, &["docker", "kubectl rollout", "helm test"]).is_empty(),
        "{notes:?}"
    );
}

#[tokio::test]
async fn what_would_change_is_shown_without_secrets() {
    let workshop = Workshop::new();
    let words = [
        "sky",
        "--env",
        "dev1",
        "--no-setup",
        "--deploy",
        "--diff",
        "--image-tag",
        "1",
    ];
    let manifest = |replicas: u32, secret: &str| {
        format!(
            "printf -- '---\\nkind: Deployment\\nreplicas: {replicas}\\n---\\nkind: Secret\\ndata: {secret}\\n'"
        )
    };
    workshop.answer("helm-get-manifest", &manifest(1, "xyzzy"));
    workshop.answer("helm-template", &manifest(2, "plugh"));
    let text = said(&workshop.run(&words).await);
    assert!(text.contains("\n-replicas: 1\n+replicas: 2\n"), "{text}");
    assert!(!text.contains("xyzzy") && !text.contains("plugh"), "{text}");
    assert_eq!(workshop.left(), 0);
    workshop.answer("helm-template", &manifest(1, "plugh"));
    assert!(said(&workshop.run(&words).await).contains("# no difference"));
    // Helm's plugin does it better.
    workshop.answer("helm-plugin", "echo 'NAME VERSION'; echo 'diff 3.12.0'");
    workshop.notes();
    said(&workshop.run(&words).await);
    let notes = only(&workshop.notes(), &["helm diff", "helm get", "helm template"]);
    assert!(
        notes.len() == 1 && notes[0].starts_with("helm diff upgrade --allow-unreleased sky charts/sky"),
        "{notes:?}"
    );
}

#[tokio::test]
async fn events_are_lines_of_json() {
    let workshop = Workshop::new();
    workshop.answer("helm-upgrade", "echo 'STATUS: deployed'");
    let words = [
        "sky",
        "--env",
        "dev1",
        "--no-setup",
        "--deploy",
        "--image-tag",
        "1",
        "-o",
        "json",
    ];
    let output = workshop.run(&words).await;
    let events: Vec<Value> = said(&output)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let upgrade = events
        .iter()
        .find(|event| event["step"] == "upgrade")
        .expect("the event");
    assert_eq!(
        (&upgrade["rc"], &upgrade["argv"][1]),
        (&Value::from(0), &Value::from("upgrade"))
    );
    assert!(upgrade["seconds"].is_number());
    assert!(fault(&output).1.contains("STATUS: deployed"));
}

#[tokio::test]
async fn charts_are_found_and_never_listed_by_hand() {
    let workshop = Workshop::new();
    workshop.write(
        "charts/sea/Chart.yaml",
        "apiVersion: v2\nname: sea\ndependencies:\n  - repository: file://../lib\n",
    );
    for (path, text) in [("values-dev1.yaml", "{}\n"), ("environments/dev1.toml", "")] {
        workshop.write(&format!("charts/sea/{path}"), text);
    }
    let dev1 =
        std::fs::read_to_string(workshop.root.join("charts/sky/environments/dev1.toml")).expect("a file");
    workshop.write("charts/sea/environments/dev1.toml", &dev1);
    workshop.write("charts/lib/Chart.yaml", "name: lib\n");
    let base = workshop.commit();
    let names = said(&workshop.run(&["list"]).await);
    let names: Vec<&str> = names.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(names, ["lib", "sea", "sky"]);

    for (words, text) in [
        (
            vec!["moon"],
            "there is no chart \"moon\"; charts/ has lib, sea, sky",
        ),
        (vec!["sky", "--env", "mars"], "has dev1, production"),
        (
            vec!["sky", "--deploy", "--values", "none.yaml"],
            "there is no file none.yaml",
        ),
        (vec!["sky", "--set", "x"], "expected KEY=VALUE"),
        (vec!["sky", "--timeout", "soon"], "expected a time"),
        (vec!["sky", "--all"], "cannot be used with"),
        (vec!["--build"], "required"),
    ] {
        let (code, told) = fault(&workshop.run(&words).await);
        assert!(code == Some(2) && told.contains(text), "{words:?}: {told}");
    }
    assert_eq!(workshop.notes(), Vec::<String>::new());

    workshop.write("charts/lib/templates/x", "");
    let second = workshop.commit();
    workshop.write("src/main", "two");
    let third = workshop.commit();
    let changed = async |range: &str| -> Vec<String> {
        let output = workshop.run(&["changed", range, "-o", "json"]).await;
        serde_json::from_str(&said(&output)).expect("JSON")
    };
    assert_eq!(changed(&format!("{base}..{second}")).await, ["lib", "sea"]);
    assert_eq!(changed(&format!("{second}..{third}")).await, ["sky"]);
    assert_eq!(changed(&format!("{base}..HEAD")).await, ["lib", "sea", "sky"]);
    assert_eq!(changed("").await, ["sky"]);
    assert!(changed("HEAD..HEAD").await.is_empty());
    // After a forced push, and at the first: what was before is not there.
    for base in [
        "0000000000000000000000000000000000000000",
        "1234567890123456789012345678901234567890",
    ] {
        assert_eq!(changed(&format!("{base}..HEAD")).await, ["lib", "sea", "sky"]);
    }
    let (code, text) = fault(&workshop.run(&["changed", "HEAD..nothing"]).await);
    assert!(code == Some(2) && text.contains("there is no commit"), "{text}");

    let words = ["--env", "dev1", "--no-setup", "--build"];
    said(
        &workshop
            .run(&[&[&*format!("--changed={second}..{third}")], &words[..]].concat())
            .await,
    );
    assert_eq!(only(&workshop.notes(), &["docker buildx build"]).len(), 1);
    let output = workshop
        .run(&[&["--changed=HEAD..HEAD"], &words[..]].concat())
        .await;
    assert!(said(&output).contains("nothing is changed"));
    assert_eq!(workshop.notes(), Vec::<String>::new());
}

#[tokio::test]
async fn back_by_hand_is_to_what_was_good() {
    let workshop = Workshop::new();
    let dev1 = ["--env", "dev1"];
    let (code, text) = fault(&workshop.run(&[&["rollback", "sky"], &dev1[..]].concat()).await);
    assert!(
        code == Some(7) && text.contains("no revision to go back to"),
        "{text}"
    );
    workshop.answer(
        "helm-history",
        &history(&[
            (1, "superseded", ""),
            (2, "failed", ""),
            (3, "superseded", ""),
            (4, "failed", ""),
            (5, "deployed", ""),
        ]),
    );
    workshop.notes();
    said(&workshop.run(&[&["rollback", "sky"], &dev1[..]].concat()).await);
    let notes = workshop.notes();
    assert!(
        only(&notes, &["helm rollback"])[0].starts_with("helm rollback sky 3 "),
        "{notes:?}"
    );
    assert_eq!(only(&notes, &["kubectl rollout"]).len(), 3);
    said(
        &workshop
            .run(&[&["rollback", "sky", "1"], &dev1[..]].concat())
            .await,
    );
    assert!(only(&workshop.notes(), &["helm rollback"])[0].starts_with("helm rollback sky 1 "));
    workshop.answer("helm-rollback", "exit 1");
    assert_eq!(
        fault(
            &workshop
                .run(&[&["rollback", "sky", "1"], &dev1[..]].concat())
                .await
        )
        .0,
        Some(7)
    );

    workshop.notes();
    said(&workshop.run(&[&["status", "sky"], &dev1[..]].concat()).await);
    let notes = workshop.notes();
    assert!(
        notes[0].starts_with("helm history sky --max 5") && notes[1].starts_with("kubectl get deployments,"),
        "{notes:?}"
    );
    workshop.answer("helm-history", "exit 1");
    assert_eq!(
        fault(&workshop.run(&[&["status", "sky"], &dev1[..]].concat()).await).0,
        Some(8)
    );
}
