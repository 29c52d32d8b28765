"""What Helm makes of the chart, over nine sets of values: lints, and what must hold for all of them."""

import json
import re

import pytest
import yaml

import chart
from chart import SETS, CHART, named, objects, of_kind, pod, refusal, render, title

every_set = pytest.mark.parametrize("name", SETS)


@every_set
def test_strict_lint(name):
    release, namespace, _ = SETS[name]
    said = chart.helm("lint", "--strict", CHART, "--namespace", namespace, *chart.value_files(name))
    assert "0 chart(s) failed" in said


@every_set
def test_same_values_make_the_same_manifests(name):
    release, namespace, _ = SETS[name]
    again = chart.helm("template", release, CHART, "--namespace", namespace, *chart.value_files(name))
    assert again == chart.rendered(name)


@every_set
def test_labels_and_names(name):
    release = SETS[name][0]
    seen = set()
    for one in objects(name):
        key = (one["apiVersion"], one["kind"], one["metadata"]["name"])
        assert key not in seen, f"{title(one)} is there twice"
        seen.add(key)
        assert "namespace" not in one["metadata"], "the release's namespace is the caller's"
        if one["metadata"]["name"].endswith("-extra"):
            continue
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == release, title(one)
        assert labels["app.kubernetes.io/name"] == "sidereal"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["helm.sh/chart"].startswith("sidereal-")


# What a pod may do otherwise, and why.
MAY_WRITE_ITS_ROOT = {"keycloak": "start-dev builds itself anew, into its own folders"}


@every_set
def test_pods_may_do_little(name):
    for one in chart.with_pods(objects(name)):
        spec = pod(one)
        assert spec["automountServiceAccountToken"] is False, title(one)
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True and security["runAsUser"] >= 1000 and security["fsGroup"] >= 1000
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        for container in chart.containers(one):
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert security["readOnlyRootFilesystem"] is (container["name"] not in MAY_WRITE_ITS_ROOT), title(one)
            requests, limits = container["resources"]["requests"], container["resources"]["limits"]
            assert {"cpu", "memory", "ephemeral-storage"} <= requests.keys(), title(one)
            assert {"memory", "ephemeral-storage"} <= limits.keys(), title(one)
            image = container["image"]
            assert "@sha256:" in image or ":" in image.rsplit("/", 1)[-1], image
            assert "bitnami" not in image and not image.endswith(":latest"), image
        for volume in spec.get("volumes", []):
            assert "hostPath" not in volume
            assert "emptyDir" not in volume or "sizeLimit" in volume["emptyDir"], f"{title(one)}: {volume}"


@every_set
def test_servers_are_probed_on_the_internal_listener(name):
    servers = [one for one in of_kind(objects(name), "Deployment") if pod(one)["containers"][0]["name"] == "sidereal"]
    assert servers
    for one in servers:
        (container,) = pod(one)["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports == {"http": 8080, "internal": 9090}
        paths = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
        assert {get["port"] for get in paths.values()} == {"internal"}
        assert paths["readinessProbe"]["path"] == "/readyz"
        # What it stands on may fail for a while without the server being killed for it.
        assert paths["livenessProbe"]["path"] == paths["startupProbe"]["path"] == "/livez"
        assert one["spec"]["template"]["metadata"]["annotations"].keys() >= {"checksum/config", "checksum/secret"}


@every_set
def test_mounts_have_volumes_and_places_of_their_own(name):
    for one in chart.with_pods(objects(name)):
        volumes = [volume["name"] for volume in pod(one).get("volumes", [])]
        assert len(volumes) == len(set(volumes)), title(one)
        for container in chart.containers(one):
            places = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
            assert len(places) == len(set(places)), f"{title(one)} mounts twice at one place"
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= set(volumes), title(one)


# Secrets that values name and that must be in the namespace, and what values may name besides.
THERE_ALREADY = {"sidereal-database", "sidereal-login", "sidereal-s3", "sidereal-dashboard", "keycloak-dev", "registry"}
NAMED_BY_VALUES = {"more", "images"}


@every_set
def test_what_pods_ask_for_is_there(name):
    manifests = objects(name)
    there = {kind: {one["metadata"]["name"] for one in of_kind(manifests, kind)} for kind in
             ("ConfigMap", "Secret", "PersistentVolumeClaim", "ServiceAccount")}
    if name == "cnpg":
        # The operator makes it.
        there["Secret"].add("sky-sidereal-db-app")
    for one in chart.with_pods(manifests):
        spec = pod(one)
        assert spec["serviceAccountName"] in there["ServiceAccount"] | {"default"}, title(one)
        for volume in spec.get("volumes", []):
            if "configMap" in volume:
                assert volume["configMap"]["name"] in there["ConfigMap"], title(one)
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in there["PersistentVolumeClaim"] | NAMED_BY_VALUES
        for container in chart.containers(one):
            for source in container.get("envFrom", []):
                assert source["configMapRef"]["name"] in there["ConfigMap"] | NAMED_BY_VALUES
            for variable in container.get("env", []):
                if "valueFrom" in variable:
                    reference = variable["valueFrom"]["secretKeyRef"]
                    assert reference["name"] in there["Secret"] | THERE_ALREADY, f"{title(one)}: {reference}"


@every_set
def test_services_lead_to_ports_that_pods_have(name):
    manifests = objects(name)
    for service in of_kind(manifests, "Service"):
        wanted = service["spec"]["selector"].items()
        found = [one for one in of_kind(manifests, "Deployment") if wanted <= one["spec"]["template"]["metadata"]["labels"].items()]
        assert len(found) == 1, title(service)
        ports = {port["name"] for port in pod(found[0])["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for one in of_kind(manifests, "Deployment", "PodDisruptionBudget"):
        wanted = one["spec"]["selector"]["matchLabels"].items()
        assert [1 for other in of_kind(manifests, "Deployment") if wanted <= other["spec"]["template"]["metadata"]["labels"].items()] == [1]


@every_set
def test_the_internal_listener_is_the_cluster_s(name):
    manifests = objects(name)
    internal = {one["metadata"]["name"] for one in of_kind(manifests, "Service") if one["metadata"]["name"].endswith("-internal")}
    assert internal
    for service in of_kind(manifests, "Service"):
        if service["metadata"]["name"] in internal:
            assert service["spec"]["type"] == "ClusterIP", "whatever service.type is"
            assert [port["targetPort"] for port in service["spec"]["ports"]] == ["internal"]
        else:
            assert "internal" not in [port["targetPort"] for port in service["spec"]["ports"]]
    carried = {path["backend"]["service"]["name"] for one in of_kind(manifests, "Ingress")
               for rule in one["spec"]["rules"] for path in rule["http"]["paths"]}
    carried |= {backend["name"] for one in of_kind(manifests, "HTTPRoute")
                for rule in one["spec"]["rules"] for backend in rule["backendRefs"]}
    assert not carried & internal
    assert carried <= {one["metadata"]["name"] for one in of_kind(manifests, "Service")}


def routes(manifests):
    """Path prefix → service, of whatever carries requests."""
    of_ingress = {path["path"]: path["backend"]["service"]["name"] for one in of_kind(manifests, "Ingress")
                  for rule in one["spec"]["rules"] for path in rule["http"]["paths"]}
    return of_ingress | {rule["matches"][0]["path"]["value"]: rule["backendRefs"][0]["name"]
                         for one in of_kind(manifests, "HTTPRoute") for rule in one["spec"]["rules"]}


def goes_to(manifests, path):
    """The service that takes a path: that of the longest prefix, element by element, as both standards say."""
    fitting = [prefix for prefix in routes(manifests) if path == prefix or path.startswith(prefix.rstrip("/") + "/")]
    return routes(manifests)[max(fitting, key=len)]


@pytest.mark.parametrize(("name", "base"), [("dev1", ""), ("dev2", ""), ("gateway", "/sidereal")])
def test_dev_mode_takes_the_web_app_over(name, base):
    manifests = objects(name)
    full = {"gateway": "sky-sidereal"}.get(name, f"sidereal-{name}")
    for path in ("/app", "/app/", "/app/cutout", "/app/src/main.tsx"):
        assert goes_to(manifests, base + path) == f"{full}-web-dev", path
    for path in ("/api/cutout/async", "/account/login", "/apple", "/share/app/x"):
        assert goes_to(manifests, base + path) == f"{full}-api", path
    web = named(manifests, "Deployment", f"{full}-web-dev")
    assert pod(web)["containers"][0]["command"] == ["sleep", "infinity"]
    assert pod(web)["containers"][0]["workingDir"] == "/home/node/app"
    assert named(manifests, "Service", f"{full}-web-dev")["spec"]["ports"][0]["port"] == 3000
    claims = {one["metadata"]["name"] for one in of_kind(manifests, "PersistentVolumeClaim")}
    assert claims == {f"{full}-web-dev", f"{full}-api-dev"}
    if name == "gateway":
        # The Keycloak to develop with is found by browsers and by pods.
        settings = named(manifests, "ConfigMap", full)["data"]
        assert settings["SIDEREAL_AUTH__ISSUER"] == "https://sky.example.org/keycloak/realms/sidereal"
        assert settings["SIDEREAL_AUTH__INTERNAL_URL"] == f"http://{full}-keycloak:8080/keycloak/realms/sidereal"
        assert goes_to(manifests, "/keycloak/realms/sidereal") == f"{full}-keycloak"
    # One pod each, whose number Okteto may change.
    assert not of_kind(manifests, "HorizontalPodAutoscaler", "PodDisruptionBudget", "ScaledObject")
    assert {one["spec"]["replicas"] for one in of_kind(manifests, "Deployment")} == {1}
    assert {one["spec"]["strategy"]["type"] for one in of_kind(manifests, "Deployment")} == {"Recreate"}


def test_dev_mode_s_web_app_is_off_by_itself():
    manifests = render(*chart.value_files("dev1"), "--set", "config.devMode.web.enabled=false")
    assert not [one for one in manifests if one["metadata"]["name"].endswith("web-dev")]
    assert goes_to(manifests, "/app/cutout") == "sidereal-dev1-api"


def test_environments_share_nothing():
    """Production, staging and the two to develop in: own hosts, databases, buckets' prefixes, realms, namespaces."""
    names = ["production", "staging", "dev1", "dev2"]
    assert len({SETS[name][1] for name in names}) == 4
    for key in ("SIDEREAL_PUBLIC_URL", "SIDEREAL_RESULTS_URL", "SIDEREAL_AUTH__ISSUER"):
        values = [one["data"][key] for name in names for one in of_kind(objects(name), "ConfigMap") if key in one["data"]]
        assert len(set(values)) == 4, values
        assert not [1 for one in values for other in values if one != other and other.startswith(one + "/")], values


def test_scalers_own_the_number_of_pods():
    for name in SETS:
        scaled = {one["spec"]["scaleTargetRef"]["name"] for one in of_kind(objects(name), "HorizontalPodAutoscaler", "ScaledObject")}
        for one in of_kind(objects(name), "Deployment"):
            assert ("replicas" in one["spec"]) is (one["metadata"]["name"] not in scaled), f"{name}: {title(one)}"
    assert {one["kind"] for one in objects("production")} >= {"HorizontalPodAutoscaler", "PodDisruptionBudget"}
    keda = named(objects("all-on"), "ScaledObject", "everything-sidereal-worker")
    assert "FROM job WHERE phase" in keda["spec"]["triggers"][0]["metadata"]["query"]


def test_network_policies():
    for name in set(SETS) - {"all-off"}:
        manifests = objects(name)
        policies = of_kind(manifests, "NetworkPolicy")
        (everything,) = [one for one in policies if "app.kubernetes.io/component" not in one["spec"]["podSelector"]["matchLabels"]
                         and "matchExpressions" not in one["spec"]["podSelector"]]
        assert everything["spec"]["policyTypes"] == ["Ingress", "Egress"]
        assert "ingress" not in everything["spec"], "nobody, unless another policy says so"
        assert {port["port"] for rule in everything["spec"]["egress"] for port in rule["ports"]} == {53}
        for policy in policies:
            for rule in policy["spec"].get("ingress", []):
                assert rule.get("from"), f"{name}: {title(policy)} is open to everyone"
                assert rule.get("ports"), f"{name}: {title(policy)} is open on every port"
        for policy in policies:
            for rule in policy["spec"].get("egress", []):
                for peer in rule.get("to", []):
                    if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0":
                        assert "169.254.0.0/16" in peer["ipBlock"]["except"], "the cloud's metadata"
    public = named(objects("default"), "NetworkPolicy", "sidereal-public")
    (rule,) = public["spec"]["ingress"]
    assert [peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for peer in rule["from"]] == ["test"]


def test_rules_without_ports_are_left_out():
    """Kubernetes takes a rule with an empty list of ports for one of all ports."""
    rule = {"ports": [{"port": 9000}]}
    for values, expected in [
        ("networkPolicy.egressPorts=[]", None),
        (f"networkPolicy={json.dumps({'egressPorts': [], 'extraEgress': [rule]})}", [rule]),
    ]:
        manifests = render("--set-json", values)
        server = named(manifests, "NetworkPolicy", "sidereal-server")["spec"]
        assert server.get("egress") == expected and "Egress" in server["policyTypes"]
        for policy in of_kind(manifests, "NetworkPolicy"):
            for rule_of in policy["spec"].get("egress", []) + policy["spec"].get("ingress", []):
                assert rule_of["ports"], title(policy)


@pytest.mark.parametrize(("values", "more"), [
    ("config.auth.internalUrl=http://keycloak.login.svc:8080/realms/sidereal", [8080]),
    ("config.auth.internalUrl=http://keycloak.login.svc/realms/sidereal", [80]),
    ("config.auth.issuer=https://login.example.org:8443/realms/sidereal", [8443]),
    # Browsers go there, pods do not.
    ("config.auth.issuer=https://l.example.org:8443/realms/a,config.auth.internalUrl=https://[fd00::1]/realms/a", []),
    ("results.s3.endpoint=http://minio.s3.svc:9000", [9000]),
    ("results.s3.endpoint=", []),
    ("database.existingSecret.name=,database.url=postgres://u:1234@[fd00::5]:6432/sidereal?sslmode=require", [6432]),
    ("database.existingSecret.name=,database.url=postgres://u:1234@db/sidereal", []),
    ("config.dashboard.fastly_url=https://fastly.example.org:8443/", [8443]),
    # Links are for browsers.
    ("config.dashboard.tickets_url=https://tickets.example.org:8444/", []),
    # It is not what they connect to.
    ("database.url=postgres://u@db:6432/sidereal", []),
    ("config.auth.internalUrl=http://k:8080/realms/s,results.s3.endpoint=http://s:8080", [8080]),
    # extraEgress says all.
    ("networkPolicy.egressPorts=null,results.s3.endpoint=http://minio.s3.svc:9000", None),
])
def test_pods_may_reach_what_urls_name(values, more):
    server = named(render(*chart.value_files("production"), "--set", f"results.s3.allowHttp=true,{values}"), "NetworkPolicy", "sidereal-server")["spec"]
    if more is None:
        assert "egress" not in server
    else:
        (rule,) = server["egress"]
        assert rule["ports"] == [{"port": port} for port in [5432, 443, *more]]


@every_set
def test_secrets_are_in_secrets(name):
    for one in objects(name):
        if one["kind"] != "Secret":
            assert "of-the-tests" not in json.dumps(one), title(one)
    if name == "all-on":
        assert {one["metadata"]["name"] for one in of_kind(objects(name), "Secret")} == {
            "everything-sidereal", "everything-sidereal-file", "everything-sidereal-migrate"}
    else:
        assert not of_kind(objects(name), "Secret"), "secrets that are there already are not made"


@every_set
def test_nothing_may_do_anything_in_kubernetes(name):
    assert not of_kind(objects(name), "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    for one in of_kind(objects(name), "ServiceAccount"):
        assert one["automountServiceAccountToken"] is False


@every_set
def test_the_server_s_account_is_the_server_s_alone(name):
    """It may stand for rights at the cloud (`serviceAccount.annotations`), whoever mounts its token."""
    accounts = {True: set(), False: set()}
    for one in chart.with_pods(objects(name)):
        component = one["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]
        accounts[component in ("api", "worker")].add(pod(one)["serviceAccountName"])
    (own,) = accounts[True]
    if name == "all-off":
        assert own == "default"
    else:
        assert own not in accounts[False]
        made = [one for one in of_kind(objects(name), "ServiceAccount") if one["metadata"]["name"] not in accounts[True]]
        assert not any(one["metadata"]["annotations"].keys() - {"helm.sh/hook", "helm.sh/hook-weight", "helm.sh/hook-delete-policy"} for one in made)


@every_set
def test_jobs_that_helm_forgets_end_by_themselves(name):
    """Hooks are not the release's: one that has failed would else outlive it."""
    for one in of_kind(objects(name), "Job"):
        assert chart.is_hook(one) and one["spec"]["ttlSecondsAfterFinished"] == 3600, title(one)


def test_the_migration_needs_only_what_is_there_before_the_release():
    for name in ("production", "staging", "all-on"):
        hooks = {one["metadata"]["name"]: one for one in objects(name) if chart.is_hook(one) and one["kind"] != "Job"}
        (job,) = [one for one in of_kind(objects(name), "Job") if "upgrade" in one["metadata"]["annotations"]["helm.sh/hook"]]
        spec = pod(job)
        assert spec["serviceAccountName"] in hooks
        (container,) = spec["containers"]
        assert container["args"] == ["migrate"] and "envFrom" not in container
        for variable in container["env"]:
            if "valueFrom" in variable:
                assert variable["valueFrom"]["secretKeyRef"]["name"] in hooks.keys() | THERE_ALREADY
        weight = int(job["metadata"]["annotations"]["helm.sh/hook-weight"])
        assert all(int(one["metadata"]["annotations"]["helm.sh/hook-weight"]) < weight for one in hooks.values())
    for name in ("default", "cnpg"):
        assert not [one for one in objects(name) if "upgrade" in one["metadata"].get("annotations", {}).get("helm.sh/hook", "")]
    for one in of_kind(objects("cnpg"), "Deployment"):
        (migrate,) = pod(one)["initContainers"]
        assert migrate["args"] == ["migrate"] and migrate["image"] == pod(one)["containers"][0]["image"]


def test_a_change_of_settings_makes_new_pods_and_a_new_chart_alone_does_not():
    def checksums(*arguments):
        (api,) = of_kind(render(*arguments), "Deployment")
        return api["spec"]["template"]["metadata"]

    before = checksums()
    assert checksums("--set", "config.maxBody=1 MiB") != before
    assert checksums("--set", "config.file=workers = 3") != before
    assert checksums("--set", "service.port=81") == before


def test_pods_answer_until_ingresses_know_that_they_end():
    """But for those that end before their successor begins: for them it would only be longer that nobody answers."""
    for name in SETS:
        for one in of_kind(objects(name), "Deployment"):
            (container, *_) = pod(one)["containers"]
            if container["name"] == "sidereal":
                config = named(objects(name), "ConfigMap", container["envFrom"][0]["configMapRef"]["name"])["data"]
                rolls = one["spec"]["strategy"]["type"] == "RollingUpdate"
                assert config.get("SIDEREAL_SHUTDOWN_DELAY") == ("10" if rolls else None), f"{name}: {title(one)}"
                assert pod(one)["terminationGracePeriodSeconds"] > 20


def test_a_settings_file_is_mounted_from_a_secret():
    """One that is there already, or one that is made: either may hold tokens, and ConfigMaps are shown to whoever asks."""
    for values, secret in [("config.fileSecret=tokens", "tokens"), ("config.file=workers = 3", "sidereal-file")]:
        manifests = render("--set", values)
        (api,) = of_kind(manifests, "Deployment")
        assert {"name": "file", "secret": {"secretName": secret}} in pod(api)["volumes"]
        assert "/etc/sidereal" in [mount["mountPath"] for mount in pod(api)["containers"][0]["volumeMounts"]]
        assert [one["metadata"]["name"] for one in manifests if "workers = 3" in json.dumps(one)] == [secret] * ("file=" in values)


def test_long_names_stay_names():
    for one in render(release="a-release-whose-name-is-as-long-as-helm-allows-123456"):
        assert len(one["metadata"]["name"]) <= 63, title(one)
        assert all(len(value) <= 63 for value in one["metadata"]["labels"].values())


@pytest.mark.parametrize("name", ["dev1", "dev2", "all-on", "cnpg", "gateway"])
def test_the_realm_is_the_one_that_is_asked_and_knows_the_release(name):
    manifests = objects(name)
    (found,) = [one["data"] for one in of_kind(manifests, "ConfigMap") if one["metadata"]["name"].endswith("-realm")]
    (file, text), = found.items()
    realm = json.loads(text)
    (settings,) = [one["data"] for one in of_kind(manifests, "ConfigMap") if "SIDEREAL_PUBLIC_URL" in one["data"]]
    assert settings["SIDEREAL_AUTH__ISSUER"].endswith(f"/realms/{realm['realm']}") and file == f"{realm['realm']}.json"
    assert settings.get("SIDEREAL_AUTH__INTERNAL_URL", "/realms/" + realm["realm"]).endswith(f"/realms/{realm['realm']}")
    url = settings["SIDEREAL_PUBLIC_URL"]
    clients = {client["clientId"]: client for client in realm["clients"]}
    assert {settings[f"SIDEREAL_AUTH__{key}"] for key in ("CLIENT_ID", "AUDIENCE", "CLI_CLIENT_ID")} <= clients.keys()
    web = clients[settings["SIDEREAL_AUTH__CLIENT_ID"]]
    assert web["redirectUris"] == [f"{url}/account/callback"]
    assert web["attributes"]["post.logout.redirect.uris"] == f"{url}/"
    assert web["attributes"]["backchannel.logout.url"] == f"{url}/account/backchannel-logout"
    assert web["secret"] == "${SIDEREAL_WEB_SECRET}"
    # Nothing else is changed.
    shipped = (CHART / "files/realm.json").read_text().replace("${SIDEREAL_PUBLIC_URL}", url)
    assert realm == {**json.loads(shipped), "realm": realm["realm"]}


def test_images_go_by_digest_before_tag():
    digest = "sha256:" + "0" * 64
    for arguments, expected in [
        ([], "sidereal:0.1.0"),
        # An abbreviated commit of digits only is still a text.
        (["--set-string", "image.tag=123456789012"], "sidereal:123456789012"),
        (["--set-string", f"image.tag=x,image.digest={digest}"], f"sidereal@{digest}"),
    ]:
        (api,) = of_kind(render(*arguments), "Deployment")
        assert pod(api)["containers"][0]["image"] == expected


OIDC = "config.auth.mode=oidc,config.auth.issuer=https://l.example.org,config.auth.existingSecret.name=x,config.publicUrl=https://s.example.org"


@pytest.mark.parametrize(("values", "words"), [
    # The schema.
    ("nope=1", "nope"),
    ("image.tga=1", "tga"),
    ("config.devmode.enabled=true", "devmode"),
    ("api.replicas=-1", "/api/replicas"),
    ("api.replicas=two", "/api/replicas"),
    ("image.tag=a b", "/image/tag"),
    ("image.digest=sha256:abc", "/image/digest"),
    ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
    ("config.environment=prod", "/config/environment"),
    ("config.publicUrl=ftp://x", "/config/publicUrl"),
    ("config.maxBody=64 parsecs", "/config/maxBody"),
    ("config.auth.clientSecret=short", "/config/auth/clientSecret"),
    ("config.quota.runing=1", "runing"),
    ("config.engine.lease=0", "/config/engine/lease"),
    ("config.dashboard.shrink_guard=maybe", "/config/dashboard/shrink_guard"),
    ("config.dashboard.build_secret=x", "build_secret"),
    ("config.dashboard.logo=logo.svg", "/config/dashboard/logo"),
    ("config.dashboard.max_bulk=much", "/config/dashboard/max_bulk"),
    ("config.dashboard.max_editions=0", "/config/dashboard/max_editions"),
    ("config.file=a,config.fileSecret=b", "leave one out"),
    ("config.cutout.publisher=http://x", "/config/cutout/publisher"),
    ("config.devMode.web.path=app", "/config/devMode/web/path"),
    ("config.devMode.web.port=80", "/config/devMode/web/port"),
    ("database.url=mysql://x", "/database/url"),
    ("results.url=/tmp", "/results/url"),
    ("migrations.mode=later", "/migrations/mode"),
    ("persistence.size=big", "/persistence/size"),
    ("api.resources.limit.cpu=1", "limit"),
    ("service.port=70000", "/service/port"),
    ("topologySpreadConstraints.whenUnsatisfiable=Never", "/topologySpreadConstraints"),
    ("worker.autoscaling.targetCPU=0", "/worker/autoscaling/targetCPU"),
    # What makes no sense together.
    ("config.environment=production,config.devMode.enabled=true", "config.devMode.enabled is not for"),
    ("config.environment=production,keycloak.dev.enabled=true", "keycloak.dev.enabled is not for"),
    (f"{OIDC},ingress.enabled=true,gateway.enabled=true", "enable one"),
    (f"{OIDC},ingress.enabled=true", "a host is needed"),
    (f"{OIDC},gateway.enabled=true,gateway.host=x", "gateway.parentRefs is needed"),
    ("ingress.enabled=true,ingress.host=x", "config.auth.mode local"),
    ("networkPolicy.enabled=false", "config.auth.mode local"),
    ("service.type=LoadBalancer", "config.auth.mode local"),
    ("config.auth.mode=oidc", "config.auth.issuer is needed"),
    ("config.auth.mode=oidc,config.auth.issuer=https://x", "config.auth.existingSecret.name"),
    ("config.auth.mode=oidc,config.auth.issuer=https://x,config.auth.existingSecret.name=x", "must be https"),
    ("postgres.cnpg.enabled=true,database.existingSecret.name=x", "makes a database"),
    ("postgres.cnpg.enabled=true,migrations.mode=hook", "set initContainer"),
    ("migrations.mode=hook", "no volume with the embedded database"),
    ("api.replicas=2", "more than one pod needs"),
    ("worker.enabled=true", "more than one pod needs"),
    ("api.autoscaling.enabled=true", "more than one pod needs"),
    ("config.environment=production,persistence.enabled=false", "jobs and results would end"),
    ("database.existingSecret.name=x,results.url=s3://b,worker.enabled=true,worker.autoscaling.enabled=true,worker.keda.enabled=true", "enable one"),
    ("database.existingSecret.name=x,results.url=s3://b,worker.keda.enabled=true", "set worker.enabled"),
    ("keycloak.dev.enabled=true", "keycloak.dev.existingSecret is needed"),
    ("keycloak.dev.enabled=true,keycloak.dev.existingSecret=x", "on the host of an ingress or a gateway"),
    (f"{OIDC},ingress.enabled=true,ingress.host=x,keycloak.dev.enabled=true,keycloak.dev.existingSecret=x", "makes the issuer: leave out"),
    (f"{OIDC},keycloak.realmImport.enabled=true", "makes the realm that config.auth.issuer names"),
    (f"{OIDC},keycloak.realmImport.enabled=true,config.auth.issuer=https://l.example.org/realms/a,config.auth.internalUrl=http://k/realms/b", "another realm"),
    ("keycloak.realmImport.enabled=true,config.auth.clientId=mine", "has the clients sidereal-web"),
    ("config.shutdownDelay=-1", "/config/shutdownDelay"),
    ("config.shutdownDelay=3601", "/config/shutdownDelay"),
    ("database.existingSecret.name=x,results.url=s3://b,config.shutdownDelay=50", "api.terminationGracePeriodSeconds must be more than"),
    ("database.existingSecret.name=x,results.url=s3://b,worker.terminationGracePeriodSeconds=20", "worker.terminationGracePeriodSeconds must be more than"),
])
def test_bad_values_are_refused_with_a_word_on_what_to_do(values, words):
    assert words in refusal("--set", values)


def test_every_value_is_described_by_the_schema():
    """additionalProperties is false wherever the chart reads the keys; maps that it passes on are open."""
    schema = json.loads((CHART / "values.schema.json").read_text())

    def walk(values, node, path):
        if "properties" not in node:
            return
        assert node["additionalProperties"] is False, path
        assert set(values) <= set(node["properties"]), path
        # Null takes a default away: what the chart cannot do without is then named, and lists and open maps are empty.
        needed = {key for key, value in values.items() if value is not None and not isinstance(value, list)
                  and not (isinstance(value, dict) and "properties" not in node["properties"][key])}
        assert set(node.get("required", [])) == needed, path
        for key, value in values.items():
            if isinstance(value, dict):
                walk(value, node["properties"][key], f"{path}.{key}")

    walk(yaml.safe_load((CHART / "values.yaml").read_text()), schema, "values")


def test_notes_say_how_to_reach_it():
    said = chart.helm("install", "sidereal", CHART, "--dry-run=client")
    assert "port-forward service/sidereal-api 8080:80" in said and "http://127.0.0.1:8080/app/" in said
    said = chart.helm("install", "sidereal-dev1", CHART, "--dry-run=client", *chart.value_files("dev1"))
    assert "https://dev1.sidereal.example.org/app/" in said and "docs/deploying.md" in said
    assert re.search(r"helm test sidereal-dev1 --namespace default", said)
    assert "sidereal-dev1-api    # registry.example.org/sidereal-dev:latest" in said
