//! `sidereal deploy` with tools that only note how they are called: exact commands, and what follows when one fails.

use std::process::Stdio;

use serde_json::Value;

use crate::harness::{DIGEST, Workshop, fault, said};

const ALL: &str = "sky --env dev1 --build --push --deploy --test";
/// A deployment that asks no registry.
const DEPLOY: &str = "sky --env dev1 --no-setup --deploy --set image.tag=1";

/// Those of the notes that begin with one of these, for the commands that matter to a test.
fn only(notes: &[String], beginnings: &[&str]) -> Vec<String> {
    let begins = |note: &&String| beginnings.iter().any(|beginning| note.starts_with(beginning));
    notes.iter().filter(begins).cloned().collect()
}

/// What is short in the files of commands.
const SHORT: &[(&str, &str)] = &[
    (
        "{rollouts}",
        "kubectl get deployments,statefulsets,daemonsets --selector app.kubernetes.io/instance=sky --output name {kubectl}\n\
         kubectl rollout status --watch --timeout=10m {kubectl} deployment.apps/sky-api\n\
         kubectl rollout status --watch --timeout=10m {kubectl} statefulset.apps/sky-db\n\
         kubectl rollout status --watch --timeout=10m {kubectl} daemonset.apps/sky-log",
    ),
    ("{kubectl}", "--context development --namespace sky-dev1"),
    ("{helm}", "--kube-context development --namespace sky-dev1"),
    ("{values}", "--values charts/sky/values-dev1.yaml"),
    (
        "{image}",
        "--set-string image.repository=dev.example.org/sky --set-string image.tag={tag} --set-string image.digest={digest}",
    ),
    (
        "{marked}",
        "--set-string image.tag=image-0 --set-string image.digest=",
    ),
    ("{digest}", DIGEST),
    (
        "{labels}",
        "--label org.opencontainers.image.version={tag} --label org.opencontainers.image.revision={commit} \
         --label org.opencontainers.image.created={created} --label org.opencontainers.image.source=https://git.example.org/sky",
    ),
];

/// Runs it, and gives what it says of its failure, which is of this code and has this text.
async fn fails(workshop: &Workshop, words: &str, code: i32, text: &str) -> String {
    let (ended, told) = fault(&workshop.run(words).await);
    assert!(
        ended == Some(code) && told.contains(text),
        "{words}: {ended:?} {told}"
    );
    told
}

/// The events of `--output json`.
fn events(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
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

/// The cases of a file of tests/it/data/deploy/: what goes before, the words, and all commands.
async fn commands(file: &str, is_pushed: bool) {
    let cases = std::fs::read_to_string(format!("tests/it/data/deploy/{file}")).expect("the file");
    let (mut tried, mut wrong) = (0, Vec::new());
    for case in cases
        .split("\n\n")
        .filter(|case| case.contains("\n$ ") || case.starts_with("$ "))
    {
        let workshop = Workshop::new();
        // Who may read it is nobody's business.
        let url = "https://robot:hunter2@git.example.org/sky";
        workshop.git(&["remote", "add", "origin", url]);
        if is_pushed {
            workshop.has_pushed();
        }
        let (mut words, mut expected) = ("", Vec::<String>::new());
        for line in case.lines() {
            match line.split_at_checked(2) {
                Some(("# ", _)) => {}
                Some(("! ", rest)) => {
                    let (tool, answer) = rest.split_once(' ').expect("an answer");
                    workshop.answer(tool, answer);
                }
                Some(("+ ", rest)) => {
                    let (path, text) = rest.split_once(' ').unwrap_or((rest, ""));
                    workshop.write(path, text);
                }
                Some(("$ ", rest)) => words = rest,
                Some(("  ", rest)) => {
                    let last = expected.last_mut().expect("a line that goes on");
                    last.extend([" ", rest.trim()]);
                }
                _ => expected.push(line.to_owned()),
            }
        }
        let mut expected = expected.join("\n");
        let [commit, created] =
            ["%H", "%cI"].map(|what| workshop.git(&["log", "-1", &format!("--format={what}")]));
        let of_commit = [
            ("{tag}", &*workshop.head()),
            ("{commit}", &*commit),
            ("{created}", &*created),
        ];
        for (short, long) in SHORT.iter().chain(&of_commit) {
            expected = expected.replace(short, long);
        }
        said(&workshop.run(words).await);
        let notes = workshop.notes();
        if notes.join("\n") != expected {
            wrong.push(format!("$ {words}\n{}", notes.join("\n")));
        }
        assert_eq!(workshop.left(), 0, "{words}");
        for never in ["--force ", "--force-replace", "--reuse-values", "docker pull"] {
            assert!(
                !notes.iter().any(|note| note.contains(never)),
                "{words}: {notes:?}"
            );
        }
        tried += 1;
    }
    assert!(tried > 5, "{file} has {tried} cases");
    assert!(
        wrong.is_empty(),
        "{file}: otherwise than expected:\n{}",
        wrong.join("\n\n")
    );
}

#[tokio::test]
async fn commands_of_builds() {
    commands("build", false).await;
}

#[tokio::test]
async fn commands_of_deployments() {
    commands("deploy", true).await;
}

#[tokio::test]
async fn commands_of_what_reads_and_goes_back() {
    commands("other", true).await;
}

#[tokio::test]
async fn what_is_said_has_no_password() {
    let workshop = Workshop::new();
    let output = workshop.run(ALL).await;
    assert!(said(&output).contains("https://dev1.example.org"));
    assert!(!format!("{output:?}").contains("hunter2"), "{output:?}");
    let output = workshop.run("sky --env dev1 --no-setup --push").await;
    said(&output);
    assert!(fault(&output).1.contains("--push is ignored without --build"));
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
    let mut changing: Vec<&str> = cases.iter().map(|case| case.4).collect();
    changing.dedup();
    for (tool, answer, code, text, last) in cases {
        let workshop = Workshop::new();
        workshop.write("charts/sky/Chart.lock", "");
        workshop.write("secrets/sky.dev1.yaml", "password: ENC[x]\n");
        workshop.commit();
        workshop.answer(tool, answer);
        fails(&workshop, ALL, *code, text).await;
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
        let mut command = workshop.command(&format!("sky --env dev1 --no-setup --set image.tag=1 {needs}"));
        // Only these are the machine's: it may have some of the others.
        for name in ["git", "sh", "sed", "cat", "stat", "touch"] {
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
    let conflict = history(&[(3, "superseded", ""), (4, "failed", "conflict occurred")]);
    let sky = "release sky in namespace sky-dev1";
    let cases: &[(&str, &str, i32, &str)] = &[
        (
            &back,
            "",
            6,
            &format!("rolled back: {sky} stands at revision 5 (Rollback to 3)"),
        ),
        (
            &good,
            "",
            6,
            &format!("nothing was changed: {sky} stands at revision 3"),
        ),
        (
            &stuck,
            "",
            7,
            &format!("the rollback failed too: {sky} is failed at revision 4 (timed out)"),
        ),
        (&stuck, "--no-rollback", 7, "not rolled back, as was asked for"),
        (&conflict, "", 7, "--force-conflicts takes them back"),
        (
            &history(&[(3, "superseded", ""), (4, "pending-upgrade", "")]),
            "",
            7,
            &format!("{sky} is pending-upgrade at revision 4\nsomebody else is deploying it"),
        ),
        ("echo 'Error: release: not found' >&2; exit 1", "", 7, "is gone"),
        // Nothing else that is not found is the release.
        (
            "echo 'Error: plugin \"x\" not found' >&2; exit 1",
            "",
            7,
            "it is not known how release sky",
        ),
        (
            "echo 'Error: unreachable' >&2; exit 1",
            "",
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
        let told = fails(&workshop, &format!("{DEPLOY} {words}"), *code, text).await;
        for part in ["Failed to pull image", "pod sky-1 is not ready", "no such table"] {
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
async fn what_stood_before_is_not_this_deployment_s_failure() {
    for (status, text) in [
        (
            "failed",
            "nothing was changed: release sky in namespace sky-dev1 stands at revision 3 (failed",
        ),
        ("pending-upgrade", "wait, or `sidereal deploy rollback`"),
        ("pending-install", "wait, or `helm uninstall` it"),
    ] {
        let workshop = Workshop::new();
        workshop.answer("helm-history", &history(&[(3, status, "")]));
        workshop.answer("helm-upgrade", "exit 1");
        fails(&workshop, DEPLOY, 6, text).await;
    }
    // What is uninstalled and remembered was not there.
    let workshop = Workshop::new();
    workshop.answer("helm-history", &history(&[(3, "uninstalled", "")]));
    workshop.answer("after", "echo 'Error: release: not found' >&2; exit 1");
    let fails_and_is_gone = "cp \"$TOOLS/after.sh\" \"$TOOLS/helm-history.sh\"; exit 1";
    workshop.answer("helm-upgrade", fails_and_is_gone);
    fails(&workshop, DEPLOY, 6, "was not there before, and is not now").await;
}

#[tokio::test]
async fn a_registry_that_does_not_answer_is_not_one_without_the_image() {
    for answer in [
        "503 Service Unavailable",
        "401 Unauthorized",
        "dial tcp: connection refused",
    ] {
        let workshop = Workshop::new();
        workshop.answer(
            "docker-buildx-imagetools",
            &format!("echo 'ERROR: {answer}' >&2; exit 1"),
        );
        for (words, code) in [
            ("sky --env dev1 --no-setup --build --push", 4),
            ("sky --env dev1 --no-setup --deploy", 5),
        ] {
            fails(&workshop, words, code, "the registry does not say whether").await;
        }
        let notes = workshop.notes();
        assert!(
            only(&notes, &["docker push", "docker buildx build", "helm upgrade"]).is_empty(),
            "{notes:?}"
        );
    }
}

#[tokio::test]
async fn what_does_not_work_goes_back() {
    for (rollback, extra, code, text) in [
        ("exit 0", "", 8, "rolled back to revision 3"),
        ("exit 1", "", 7, "the rollback to revision 3 failed too"),
        ("exit 0", "--no-rollback", 8, "left as it is"),
    ] {
        let workshop = Workshop::new();
        workshop.answer(
            "helm-history",
            &history(&[(2, "superseded", ""), (3, "deployed", "")]),
        );
        workshop.answer("helm-test", "exit 1");
        workshop.answer("helm-rollback", rollback);
        fails(&workshop, &format!("{DEPLOY} --test {extra}"), code, text).await;
        let back = only(&workshop.notes(), &["helm rollback"]);
        assert_eq!(back.len(), usize::from(extra.is_empty()));
        assert!(
            back.iter().all(|note| note.starts_with("helm rollback sky 3 ")),
            "{back:?}"
        );
    }
}

#[tokio::test]
async fn a_release_without_workloads_is_fine() {
    let workshop = Workshop::new();
    workshop.answer("kubectl-get-deployments,statefulsets,daemonsets", "echo");
    said(&workshop.run(DEPLOY).await);
    assert!(only(&workshop.notes(), &["kubectl rollout"]).is_empty());
}

#[tokio::test]
async fn another_cluster_is_refused() {
    let workshop = Workshop::new();
    let words = "sky --env dev1 --build --push --deploy";
    for (answer, is) in [("echo production", "\"production\""), ("exit 1", "none")] {
        workshop.answer("kubectl-config-current-context", answer);
        for words in [words, "rollback sky --env dev1"] {
            let text = format!("the current context is {is}, and dev1 is deployed in \"development\"");
            fails(&workshop, words, 3, &text).await;
            let asked = ["kubectl config"];
            let notes = workshop.notes();
            assert_eq!(only(&notes, &asked), notes);
        }
        // A dry run says so, and goes on.
        let output = workshop.run(&format!("{words} --dry-run")).await;
        said(&output);
        assert!(
            fault(&output)
                .1
                .contains("this would be refused: the current context")
        );
        workshop.notes();
    }
}

#[tokio::test]
async fn another_chart_s_release_is_left_alone() {
    let workshop = Workshop::new();
    let is = |chart: &str, status: &str| {
        format!(
            "[ \"$2\" != metadata ] || echo '{{\"chart\":\"{chart}\",\"version\":\"0.3.0\",\"status\":\"{status}\"}}'"
        )
    };
    let deploy = "sky --env dev1 --build --push --deploy --release night";
    let rollback = "rollback sky 4 --env dev1 --release night";
    for status in ["deployed", "failed", "pending-upgrade"] {
        workshop.answer("helm-get", &is("moon", status));
        for words in [deploy, rollback] {
            let text = "release night in namespace sky-dev1 is of chart moon, and not of sky";
            fails(&workshop, words, 2, text).await;
            let notes = workshop.notes();
            let asked = ["kubectl config", "helm get metadata night", "helm template"];
            assert_eq!(only(&notes, &asked), notes);
        }
    }
    let dry = workshop.run(&format!("{deploy} --dry-run")).await;
    said(&dry);
    assert!(fault(&dry).1.contains("this would be refused: release night"));
    for answer in [
        is("sky", "deployed"),
        // It has nothing to lose.
        is("moon", "uninstalled"),
        "echo 'Error: release: not found' >&2; exit 1".to_owned(),
    ] {
        workshop.answer("helm-get", &answer);
        said(&workshop.run(deploy).await);
        said(&workshop.run(rollback).await);
    }
}

#[tokio::test]
async fn production_is_meant_or_refused() {
    let workshop = Workshop::new();
    workshop.answer("kubectl-config-current-context", "echo production");
    let words = "sky --no-setup --deploy --set image.tag=1";
    fails(&workshop, words, 2, "--yes").await;
    assert!(only(&workshop.notes(), &["helm upgrade"]).is_empty());
    fails(&workshop, "rollback sky", 2, "rollback goes to production").await;
    said(&workshop.run(&format!("{words} --yes")).await);
    let in_ci = async |is: &str| {
        workshop
            .command(words)
            .env("CI", is)
            .output()
            .await
            .expect("sidereal")
    };
    said(&in_ci("true").await);
    assert_eq!(fault(&in_ci("false").await).0, Some(2));
    assert_eq!(only(&workshop.notes(), &["helm upgrade"]).len(), 2);
}

#[tokio::test]
async fn production_is_known_by_where_it_is() {
    let there = "sky --env dev1 --no-setup --set image.tag=1 --deploy --kube-context production";
    let workshop = Workshop::new();
    workshop.answer("kubectl-config-current-context", "echo production");
    // No other environment is in its cluster.
    for words in [there, "rollback sky 1 --env dev1 --kube-context production"] {
        fails(
            &workshop,
            words,
            2,
            "production (context production, namespace sky-dev1)",
        )
        .await;
    }
    workshop.write("src/main", "mine");
    fails(
        &workshop,
        &format!("{there} --yes"),
        2,
        "is not deployed to production",
    )
    .await;
    assert!(only(&workshop.notes(), &["helm upgrade", "helm rollback"]).is_empty());
    workshop.write("src/main", "one\n");
    said(&workshop.run(&format!("{there} --yes")).await);
    // It shares its cluster: then its own namespace is production, and those of others are not.
    let file = "charts/sky/environments/dev1.toml";
    let text = std::fs::read_to_string(workshop.root.join(file)).expect("the file");
    workshop.write(file, &text.replace("\"development\"", "\"production\""));
    said(&workshop.run(there).await);
    fails(
        &workshop,
        &format!("{there} --namespace sky"),
        2,
        "namespace sky)",
    )
    .await;
    // The same name in another cluster is not.
    workshop.write(file, &text);
    workshop.answer("kubectl-config-current-context", "echo development");
    said(&workshop.run(&format!("{DEPLOY} --namespace sky")).await);
}

#[tokio::test]
async fn production_goes_back_on_purpose_only() {
    let workshop = Workshop::new();
    workshop.answer("kubectl-config-current-context", "echo production");
    let words = "sky --no-setup --deploy --yes --set image.tag=1";
    let commits = ["one", "two"].map(|_| {
        workshop.commit();
        workshop.git(&["rev-parse", "HEAD"])
    });
    let at = |commit: &str| workshop.git(&["checkout", "--quiet", "--detach", commit]);
    let runs = |commit: &str| {
        let noted = format!("Commit {commit}");
        workshop.answer(
            "helm-history",
            &history(&[(1, "superseded", ""), (2, "deployed", &noted), (3, "failed", "x")]),
        );
    };
    // What is deployed is noted.
    said(&workshop.run(words).await);
    let upgrade = only(&workshop.notes(), &["helm upgrade"]);
    assert!(
        upgrade[0].ends_with(&format!("--description Commit {}", commits[1])),
        "{upgrade:?}"
    );
    // A run that was approved too late.
    runs(&commits[1]);
    at(&commits[0]);
    let text = format!("production runs commit {}, which is later", commits[1]);
    fails(&workshop, words, 2, &text).await;
    assert!(only(&workshop.notes(), &["helm upgrade"]).is_empty());
    let dry = workshop.run(&format!("{words} --dry-run")).await;
    said(&dry);
    assert!(fault(&dry).1.contains(&format!("this would be refused: {text}")));
    said(&workshop.run(&format!("{words} --allow-older")).await);
    // The same again, what comes after it, and what is beside it.
    for (running, here) in [(1, 1), (0, 1)] {
        runs(&commits[running]);
        at(&commits[here]);
        said(&workshop.run(words).await);
    }
    at(&commits[0]);
    workshop.write("docs/page", "beside");
    workshop.commit();
    runs(&commits[1]);
    said(&workshop.run(words).await);
    // One that this clone has not fetched may be any.
    runs(&"1234567890".repeat(4));
    fails(&workshop, words, 2, "which is not in this clone: git fetch").await;
    // Helm may not be able to say.
    workshop.answer(
        "helm-history",
        "echo 'Error: the server was unable to answer' >&2; exit 1",
    );
    fails(
        &workshop,
        words,
        2,
        "helm history does not say which commit production runs",
    )
    .await;
    said(&workshop.run(&format!("{words} --allow-older")).await);
    // Where it is not noted nobody knows; and those who develop go back and forth.
    workshop.answer("helm-history", &history(&[(2, "deployed", "Upgrade complete")]));
    said(&workshop.run(words).await);
    workshop.answer("kubectl-config-current-context", "echo development");
    at(&commits[0]);
    runs(&commits[1]);
    said(&workshop.run(DEPLOY).await);
    assert!(
        !workshop
            .notes()
            .last()
            .is_some_and(|note| note.contains("--description"))
    );
}

/// The tag that the chart's image would get now.
async fn tag(workshop: &Workshop) -> String {
    let listed: Value = serde_json::from_str(&said(&workshop.run("list -o json").await)).expect("JSON");
    assert_eq!(listed[0]["chart"], "sky");
    let image = listed[0]["images"][0].as_str().expect("an image");
    image.strip_prefix("sky:").expect("its name").to_owned()
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

    // Of one commit each target is another image, and `runtime` is the one that is meant.
    let file = "charts/sky/deploy.toml";
    let text = std::fs::read_to_string(workshop.root.join(file)).expect("the file");
    workshop.write(file, &text.replace("\"runtime\"", "\"debug\""));
    assert_eq!(tag(&workshop).await, format!("{third}-debug"));
    workshop.write("src/main", "four");
    let dirty = tag(&workshop).await;
    assert!(dirty.starts_with(&format!("{third}-debug-dirty-")), "{dirty}");
    workshop.write(file, &text.replace("\"runtime\"", "\"a,b=c\""));
    fails(&workshop, "list", 2, "deploy.toml: target: expected").await;
    workshop.git(&["checkout", "--quiet", "."]);

    // A clone that does not go back far enough would give another name.
    let shallow = Workshop::new();
    let from = format!("file://{}", workshop.root.display());
    shallow.git(&["fetch", "--quiet", "--depth=1", &from, "main"]);
    shallow.git(&["reset", "--quiet", "--hard", "FETCH_HEAD"]);
    fails(&shallow, "list", 2, "shallow").await;
}

#[tokio::test]
async fn whatever_is_in_no_commit_names_an_image() {
    use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, os::unix::fs::PermissionsExt};

    let workshop = Workshop::new();
    let source = workshop.root.join("src");
    // One that is in the last commit, with a letter of Latin 1.
    let latin = source.join(OsStr::from_bytes(b"caf\xe9"));
    let script = source.join("script");
    let link = source.join("link");
    let nested = source.join("nested");
    workshop.write("src/latin", "");
    fs::write(source.join("latin"), b"caf\xe9\n").expect("a file");
    workshop.commit();
    let mut seen = vec![tag(&workshop).await];
    let mut other = async |what: &str| {
        let now = tag(&workshop).await;
        assert!(now.contains("-dirty-"), "{what}: {now}");
        assert!(!seen.contains(&now), "{what}: {seen:?} {now}");
        assert_eq!(tag(&workshop).await, now, "{what}");
        seen.push(now);
    };
    // Contents that are no UTF-8, in a file that git knows.
    for content in [b"caf\xe8\n", b"caf\xea\n"] {
        fs::write(source.join("latin"), content).expect("a file");
        other("a letter").await;
    }
    // A name that is no UTF-8.
    for content in ["one", "two"] {
        fs::write(&latin, content).expect("a file");
        other("a name of Latin 1").await;
    }
    // What a file may do, and where a link leads.
    fs::write(&script, "x").expect("a file");
    other("a script").await;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a script");
    other("that it can be run").await;
    for to in ["main", "nowhere"] {
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(to, &link).expect("a link");
        other("a link").await;
    }
    // A repository within this one, with and without a commit, and what is in no commit of it.
    workshop.git(&["init", "--quiet", "src/nested"]);
    fs::create_dir(nested.join("deep")).expect("a folder");
    for content in ["one", "two"] {
        fs::write(nested.join("deep/page"), content).expect("a file");
        other("a nested repository").await;
    }
    workshop.git(&["-C", "src/nested", "add", "--all"]);
    workshop.git(&["-C", "src/nested", "commit", "--quiet", "--message", "nested"]);
    fs::write(nested.join("deep/page"), "three").expect("a file");
    other("what it has beyond its commit").await;
    // One that git knows: a submodule, but for its address.
    workshop.git(&["-C", "src/nested", "checkout", "--quiet", "."]);
    workshop.commit();
    assert_eq!(tag(&workshop).await, workshop.head());
    for content in ["four", "five"] {
        fs::write(nested.join("deep/page"), content).expect("a file");
        other("a submodule").await;
    }
    for content in ["six", "seven"] {
        workshop.git(&["-C", "src/nested", "checkout", "--quiet", "."]);
        fs::write(nested.join("new"), content).expect("a file");
        other("a new file of a submodule").await;
    }
}

#[tokio::test]
async fn what_is_in_no_commit_does_not_get_to_production() {
    let workshop = Workshop::new();
    workshop.write("src/main", "mine");
    workshop.answer("kubectl-config-current-context", "echo production");
    for words in ["sky --no-setup --build --push", "sky --no-setup --deploy --yes"] {
        fails(&workshop, words, 2, "changes that are in no commit").await;
        assert!(only(&workshop.notes(), &["docker", "helm upgrade"]).is_empty());
    }
    // Nor do those of the chart, and of what images are made of, whatever names the image.
    workshop.git(&["checkout", "--quiet", "."]);
    for changed in [
        "src/main",
        "charts/sky/values-production.yaml",
        "charts/sky/templates/new.yaml",
    ] {
        workshop.write(changed, "mine: 1");
        let words = "sky --no-setup --deploy --yes --image-tag 1.0";
        fails(
            &workshop,
            words,
            2,
            "changes that are in no commit, and is not deployed to production",
        )
        .await;
        workshop.git(&["stash", "--quiet", "--include-untracked"]);
    }
    workshop.write("src/main", "mine");
    // Elsewhere it may, under a name that says so; it is never taken for built already.
    workshop.answer("kubectl-config-current-context", "echo development");
    workshop.has_pushed();
    let output = workshop
        .run("sky --env dev1 --no-setup --build --push --deploy")
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
    fails(
        &workshop,
        "sky --env dev1 --no-setup --build --push",
        2,
        "production's registry",
    )
    .await;
}

#[tokio::test]
async fn an_image_is_pushed_to_where_it_is_pulled_from() {
    let workshop = Workshop::new();
    let renders =
        |image: &str| format!("[ \"$1\" != template ] || printf 'kind: Pod\\n  image: \"{image}\"\\n'");
    let both = "is dev.example.org/sky by registry of charts/sky/environments/dev1.toml, and other.example.org/sky by";
    // The values' name is what Helm and Argo CD go by.
    workshop.answer("helm-template", &renders("other.example.org/sky:image-0"));
    for words in [
        "--build --push",
        "--push-only",
        "--deploy",
        "--deploy --image-tag 1",
        "--deploy --set image.digest=sha256:1",
    ] {
        fails(&workshop, &format!("sky --env dev1 --no-setup {words}"), 2, both).await;
        let notes = workshop.notes();
        let done = ["docker", "helm lint", "helm upgrade"];
        assert!(only(&notes, &done).is_empty(), "{words}: {notes:?}");
    }
    let dry = workshop
        .run("sky --env dev1 --build --push --deploy --dry-run")
        .await;
    said(&dry);
    let told = fault(&dry).1;
    assert!(
        told.contains("this would be refused: the image of dev1") && told.contains(both),
        "{told}"
    );
    // What is built and goes nowhere is nobody's image.
    said(&workshop.run("sky --env dev1 --no-setup --build").await);
    // Another image's tag is not ours, nor is the name before a chart is told where its image is another registry's.
    for same in [
        "dev.example.org/sky:image-0",
        "sky:image-0",
        "other.example.org/sea:1",
    ] {
        workshop.answer("helm-template", &renders(same));
        said(
            &workshop
                .run("sky --env dev1 --no-setup --build --push --deploy")
                .await,
        );
    }
    // By `--set` it would be pulled from elsewhere by this command itself, however the chart is rendered.
    workshop.answer("helm-template", "exit 1");
    let words = "sky --env dev1 --no-setup --deploy --set image.repository=other.example.org/sky";
    for more in ["", "--build --push", "--push-only --set image.tag=1"] {
        fails(&workshop, &format!("{words} {more}"), 2, both).await;
    }
    workshop.answer("helm-template", "echo 'values lack a secret' >&2; exit 1");
    let unseen = workshop.run("sky --env dev1 --no-setup --push-only").await;
    assert!(
        fault(&unseen)
            .1
            .contains("not seen whether the values name the same repositories")
            && fault(&unseen).1.contains("values lack a secret"),
        "{unseen:?}"
    );
    // But for an image that is named whole.
    said(
        &workshop
            .run(&format!("{words} --set image.digest=sha256:1"))
            .await,
    );
}

#[tokio::test]
async fn an_image_that_is_not_in_the_registry_is_not_deployed() {
    let workshop = Workshop::new();
    for words in ["", "--image-tag 1.2.3"] {
        let words = format!("sky --env dev1 --no-setup --deploy {words}");
        fails(&workshop, &words, 5, "is not in the registry").await;
        assert!(only(&workshop.notes(), &["helm lint", "helm upgrade"]).is_empty());
    }
}

#[tokio::test]
async fn no_text_says_more_to_helm_than_itself() {
    let workshop = Workshop::new();
    for tag in ["1,image.repository=evil.example.org/x", "-x", "a/b", ""] {
        let mut command = workshop.command("sky --env dev1 --no-setup --deploy");
        let output = command
            .arg(format!("--image-tag={tag}"))
            .output()
            .await
            .expect("sidereal");
        let (code, text) = fault(&output);
        assert!(code == Some(2) && text.contains("--image-tag"), "{tag}: {text}");
    }
    for (file, from, to, text) in [
        (
            "environments/dev1.toml",
            "dev.example.org",
            "a,b=c",
            "dev1.toml: registry: expected host",
        ),
        (
            "environments/dev1.toml",
            "\"development\"",
            "\"\"",
            "dev1.toml: context: expected",
        ),
        (
            "environments/dev1.toml",
            "sky-dev1",
            "a b",
            "dev1.toml: namespace: expected",
        ),
        (
            "deploy.toml",
            "\"sky\"",
            "\"sky,a=b\"",
            "deploy.toml: name: expected",
        ),
        (
            "deploy.toml",
            "\"image\"",
            "\"image,a\"",
            "deploy.toml: value_key: expected",
        ),
    ] {
        let workshop = Workshop::new();
        let file = format!("charts/sky/{file}");
        let before = std::fs::read_to_string(workshop.root.join(&file)).expect("the file");
        workshop.write(&file, &before.replacen(from, to, 1));
        fails(&workshop, DEPLOY, 2, text).await;
    }
    fails(
        &workshop,
        &format!("{DEPLOY} --release a,b"),
        2,
        "--release: expected",
    )
    .await;
    fails(
        &workshop,
        &format!("{DEPLOY} --namespace a,b"),
        2,
        "--namespace: expected",
    )
    .await;
    assert!(workshop.notes().is_empty());
}

#[tokio::test]
async fn secrets_are_seen_by_helm_alone() {
    let workshop = Workshop::new();
    workshop.write("secrets/sky.dev1.yaml", "password: ENC[x]\n");
    // A settings file says by no name what it holds.
    let secret = "--set auth.clientSecret=xyzzy --set url=postgres://me:plugh@host/db --set tokens={plover,Y2} \
                  --set config.file=keepers=[{token=\"frotz\"}] --set env[0].value=ozmoo";
    for output in ["text", "json"] {
        let done = workshop
            .run(&format!("{DEPLOY} {secret} --output {output}"))
            .await;
        let (text, told) = (said(&done), fault(&done).1);
        assert!(
            [
                "auth.clientSecret=***",
                "url=***",
                "config.file=***",
                "env[0].value=***"
            ]
            .iter()
            .all(|shown| text.contains(shown)),
            "{text}"
        );
        assert!(text.contains("<decrypted secrets/sky.dev1.yaml>"), "{text}");
        let notes = workshop.notes();
        // Neither what is said, nor the words of any command: those of Helm are in its files alone.
        let files = only(&notes, &["="]);
        let words: Vec<&String> = notes.iter().filter(|note| !files.contains(note)).collect();
        for word in ["hush", "xyzzy", "plugh", "plover", "Y2", "frotz", "ozmoo"] {
            assert!(
                !format!("{text}{told}{words:?}").contains(word),
                "{output}: {word}: {text}{told}{words:?}"
            );
            let seen = files
                .iter()
                .filter(|file| file.starts_with("= 600 ") && file.contains(word))
                .count();
            // What SOPS has encrypted is not decrypted for a look at images.
            let times = if word == "hush" { 2 } else { 3 };
            assert_eq!(seen, times, "{word}: lint and upgrade are to see it: {files:?}");
        }
        assert_eq!(workshop.left(), 0);
    }
    // Tools do not get the registry's password by the environment.
    workshop.answer("helm-upgrade", "env >>\"$TOOLS/log\"");
    said(&workshop.run(DEPLOY).await);
    assert!(!workshop.notes().iter().any(|note| note.contains("hunter2")));
}

/// Starts it, waits until the tool says so by the pipe `ready`, sends it a signal, and gives its end.
async fn stopped(workshop: &Workshop, words: &str, signal: &str) -> (Option<i32>, String) {
    let ready = workshop.tools.join("ready");
    let made = std::process::Command::new("mkfifo")
        .arg(&ready)
        .status()
        .expect("mkfifo");
    assert!(made.success());
    let mut command = workshop.command(words);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sidereal");
    let id = child.id().expect("it runs").to_string();
    let waiting = tokio::task::spawn_blocking(move || std::fs::read(ready)).await;
    waiting.expect("a thread").expect("that it waits");
    let kill = format!("kill -{signal} {id}");
    let sent = std::process::Command::new("sh")
        .args(["-c", &kill])
        .status()
        .expect("sh");
    assert!(sent.success());
    fault(&child.wait_with_output().await.expect("its end"))
}

#[tokio::test]
async fn signals_end_it_in_order() {
    for (name, code) in [("TERM", 143), ("INT", 130), ("HUP", 129), ("QUIT", 131)] {
        let workshop = Workshop::new();
        workshop.write("secrets/sky.dev1.yaml", "password: ENC[x]\n");
        // It goes on until it is asked to end, and says then that it was, and which private files there are still.
        workshop.answer(
            "helm-upgrade",
            "sleep 1000 & \n trap 'kill $!; echo \"ended with\" $(ls $TMPDIR | wc -l) >>\"$TOOLS/log\"; exit 1' TERM\n \
             echo >\"$TOOLS/ready\"\n wait $!",
        );
        let (ended, text) = stopped(&workshop, &format!("{DEPLOY} --set auth.password=x"), name).await;
        assert_eq!(ended, Some(code), "{text}");
        assert!(
            text.contains(&format!("ended by signal {}", code - 128)),
            "{text}"
        );
        assert_eq!(workshop.left(), 0);
        let notes = workshop.notes();
        assert!(notes.contains(&"ended with 2".to_owned()), "{notes:?}");
        assert!(only(&notes, &["kubectl rollout"]).is_empty(), "{notes:?}");
    }
}

#[tokio::test]
async fn a_signal_waits_for_no_grandchildren() {
    for (tool, says) in [
        ("helm-history", "ended by signal 15"),
        (
            "kubectl-get-deployments,statefulsets,daemonsets",
            "is upgraded; whether it works was not awaited",
        ),
    ] {
        let workshop = Workshop::new();
        // The tool ends and leaves a child behind that has its output open, until this test ends it.
        let lines = "sleep 1000 2>/dev/null & \n echo $! >\"$TOOLS/child\"; echo >\"$TOOLS/ready\"; wait";
        workshop.answer(tool, lines);
        let (ended, text) = stopped(&workshop, DEPLOY, "TERM").await;
        let child = std::fs::read_to_string(workshop.tools.join("child")).expect("a process");
        let kill = format!("kill {child}");
        let was_alive = std::process::Command::new("sh")
            .args(["-c", &kill])
            .status()
            .expect("sh");
        assert!(
            was_alive.success() && ended == Some(143) && text.contains(says),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_dry_run_shows_the_commands_of_a_run() {
    let workshop = Workshop::new();
    let text = said(&workshop.run(&format!("{ALL} --dry-run")).await);
    let shown: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    workshop.notes();
    said(&workshop.run(ALL).await);
    let ran = workshop.notes();
    let ran: Vec<&String> = ran.iter().filter(|note| !note.starts_with("< ")).collect();
    // As they are run, but for the digest that is not known yet, and the workloads.
    let name = format!("dev.example.org/sky:{}", workshop.head());
    let digest = format!("'image.digest=<digest of {name}>'");
    for line in &shown {
        let line = line.replace(&digest, &format!("image.digest={DIGEST}"));
        let line = line.replace('\'', "");
        assert!(ran.iter().any(|note| note.starts_with(&line)), "{line}: {ran:#?}");
    }
    assert_eq!(shown.len(), 11, "{text}");
    assert!(text.contains(&digest) && !text.contains("hunter2"), "{text}");
    // The same by its other name, all steps if none is named; and as events.
    let plan = said(&workshop.run("plan sky --env dev1 --test").await);
    let told = plan
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect::<Vec<_>>();
    assert_eq!(told, shown);
    let plan = events(&said(&workshop.run("plan sky --env dev1 -o json").await));
    assert!(
        plan.iter()
            .any(|step| step["step"] == "upgrade" && step["argv"][0] == "helm"),
        "{plan:?}"
    );
}

#[tokio::test]
async fn a_dry_run_shows_no_secrets() {
    let workshop = Workshop::new();
    workshop.write("secrets/sky.dev1.yaml", "password: ENC[x]\n");
    let manifests = "printf -- '---\\nkind: Service\\n---\\nkind: Secret\\ndata: xyzzy\\n'";
    workshop.answer("helm-template", manifests);
    workshop.answer("helm-upgrade", manifests);
    for how in ["client", "server"] {
        let text = said(&workshop.run(&format!("{ALL} --dry-run={how}")).await);
        assert!(text.ends_with("---\nkind: Service\n"), "{text}");
        assert!(!text.contains("hush") && workshop.left() == 0, "{text}");
    }
}

#[tokio::test]
async fn what_would_change_is_shown_without_secrets() {
    let workshop = Workshop::new();
    let words = format!("{DEPLOY} --diff");
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
}

#[tokio::test]
async fn events_are_lines_of_json() {
    let workshop = Workshop::new();
    workshop.answer("helm-upgrade", "echo 'STATUS: deployed'");
    let output = workshop.run(&format!("{DEPLOY} -o json")).await;
    let events = events(&said(&output));
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
    let dev1 =
        std::fs::read_to_string(workshop.root.join("charts/sky/environments/dev1.toml")).expect("a file");
    workshop.write("charts/sea/values-dev1.yaml", "{}\n");
    workshop.write("charts/sea/environments/dev1.toml", &dev1);
    workshop.write("charts/lib/Chart.yaml", "name: lib\n");
    let base = workshop.commit();
    let names = said(&workshop.run("list").await);
    let names: Vec<&str> = names.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(names, ["lib", "sea", "sky"]);

    for (words, text) in [
        ("moon", "there is no chart \"moon\"; charts/ has lib, sea, sky"),
        ("sky --env mars", "has dev1, production"),
        ("sky --deploy --values none.yaml", "there is no file none.yaml"),
        ("sky --set x", "expected KEY=VALUE"),
        ("sky --timeout soon", "expected a time"),
        ("sky --all", "cannot be used with"),
        ("--build", "required"),
    ] {
        fails(&workshop, words, 2, text).await;
    }
    assert!(workshop.notes().is_empty());

    workshop.write("charts/lib/templates/x", "");
    let second = workshop.commit();
    workshop.write("src/main", "two");
    let third = workshop.commit();
    let changed = async |range: &str| -> Vec<String> {
        let output = workshop.run(&format!("changed {range} -o json")).await;
        serde_json::from_str(&said(&output)).expect("JSON")
    };
    assert_eq!(changed(&format!("{base}..{second}")).await, ["lib", "sea"]);
    assert_eq!(changed(&format!("{second}..{third}")).await, ["sky"]);
    assert_eq!(changed(&format!("{base}..HEAD")).await, ["lib", "sea", "sky"]);
    assert_eq!(changed("").await, ["sky"]);
    assert!(changed("HEAD..HEAD").await.is_empty());
    // After a forced push, and at the first: what was before is not there.
    for base in ["0".repeat(40), "1234567890".repeat(4)] {
        assert_eq!(changed(&format!("{base}..HEAD")).await, ["lib", "sea", "sky"]);
    }
    fails(&workshop, "changed HEAD..nothing", 2, "there is no commit").await;

    let words = "--env dev1 --no-setup --build";
    said(
        &workshop
            .run(&format!("--changed={second}..{third} {words}"))
            .await,
    );
    assert_eq!(only(&workshop.notes(), &["docker buildx build"]).len(), 1);
    let output = workshop.run(&format!("--changed=HEAD..HEAD {words}")).await;
    assert!(said(&output).contains("nothing is changed"));
    assert!(workshop.notes().is_empty());
    // The library goes nowhere; and none is begun if one of them has no such environment.
    let all = "--all --env dev1 --no-setup --deploy --set image.tag=1";
    said(&workshop.run(all).await);
    assert_eq!(only(&workshop.notes(), &["helm upgrade"]).len(), 2);
    workshop.write("charts/tide/Chart.yaml", "name: tide\n");
    workshop.write("charts/tide/environments/production.toml", &dev1);
    fails(&workshop, all, 2, "tide has no environment").await;
    assert!(workshop.notes().is_empty());
}

#[tokio::test]
async fn back_by_hand_is_to_what_was_good() {
    let workshop = Workshop::new();
    let words = "rollback sky --env dev1";
    let none = "release sky in namespace sky-dev1 has no good revision before what stands";
    fails(&workshop, words, 7, none).await;
    workshop.answer("helm-history", "echo 'Error: kubeconfig not found' >&2; exit 1");
    fails(&workshop, words, 7, "are not known").await;
    let good = |number, description| (number, "superseded", description);
    let now = |number, description| (number, "deployed", description);
    // Revision 2 was bad, and went back to 1, which is 3 now: 2 is not what is good.
    workshop.answer(
        "helm-history",
        &history(&[good(1, ""), good(2, ""), now(3, "Rollback to 1")]),
    );
    fails(&workshop, words, 7, none).await;
    assert!(only(&workshop.notes(), &["helm rollback"]).is_empty());
    // What else there may be is tried in src/deploy/history.rs.
    let told = [
        good(1, ""),
        (2, "failed", ""),
        good(3, ""),
        (4, "failed", ""),
        now(5, ""),
    ];
    workshop.answer("helm-history", &history(&told));
    said(&workshop.run(words).await);
    let notes = workshop.notes();
    assert!(
        only(&notes, &["helm rollback"])[0].starts_with("helm rollback sky 3 "),
        "{notes:?}"
    );
    workshop.answer("helm-rollback", "exit 1");
    fails(&workshop, "rollback sky 1 --env dev1", 7, "rollback failed").await;
    workshop.answer("helm-history", "exit 1");
    fails(&workshop, "status sky --env dev1", 8, "not to be seen").await;
}
