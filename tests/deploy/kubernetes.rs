//! The chart: what it renders is valid, says no to mistakes, and starts our programs with arguments that they take.
//! It never talks to a cluster.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::support::server::PROGRAM;
use super::support::{Netns, Root, Server, Setup, netns, pattern};
use super::tools::{from_here, python_with_schemas, renderer, succeed};

/// The oldest version that has all that the chart may use (image volumes, sleep before the end), and the newest one
/// that the validator knows.
const VERSIONS: [&str; 2] = ["1.31", "1.37"];

/// What each way of deploying sets.
const SHAPES: &[&[&str]] = &[
    &[r#"files.pvc="tftp""#],
    &[
        r#"files.hostPath="/srv/tftp""#,
        r#"dataPorts="40000-40063""#,
    ],
    &[r#"files.image={"reference":"registry/boot-files:7"}"#],
    &[
        r#"files.init={"image":"registry/boot-files:7","command":["sh","-c","cp -a /files/. /srv/tftp/"]}"#,
    ],
    &[r#"files.pvc="tftp""#, r#"mode="loadBalancer""#],
    &[
        r#"files.pvc="tftp""#,
        r#"mode="loadBalancer""#,
        "replicas=1",
        "leaveSeconds=0",
        r#"service={"annotations":{"a/b":"c"},"loadBalancerIP":"10.0.0.9","loadBalancerClass":"x/y","loadBalancerSourceRanges":["10.0.0.0/8"]}"#,
        r#"allow=["10.0.0.0/8","fd00::/8"]"#,
    ],
    &[
        r#"files.pvc="tftp""#,
        r#"config="version = 1\n[limits]\ntransfers = 5000\n""#,
        r#"extraArgs=["--max-windowsize=16"]"#,
        r#"seccomp={"type":"Localhost","install":true}"#,
        r#"imagePullSecrets=[{"name":"registry"}]"#,
        r#"priorityClassName="system-node-critical""#,
        r#"podAnnotations={"a":"b"}"#,
        r#"nodeSelector={"rack":"7"}"#,
        r#"tolerations=[{"operator":"Exists"}]"#,
        r#"affinity={"nodeAffinity":{}}"#,
    ],
    &[
        r#"files.pvc="tftp""#,
        r#"storm={"enabled":true,"target":"10.0.0.2:69","startAt":"1790000000","extraArgs":["--loss=1%"]}"#,
    ],
];

/// All but what other projects define, whose schemas the API does not have.
const OF_THE_API: [&str; 5] = ["config", "disruption", "server", "service", "storm"];

/// What the chart makes of these settings, or why it refuses them.
fn render(program: &Path, settings: &[&str], only: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    command
        .arg(from_here("deploy/kubernetes/chart"))
        .args(["ringboot", "default"]);
    for setting in settings {
        command.args(["--set", setting]);
    }
    for template in only {
        command.args(["--show", &format!("templates/{template}.yaml")]);
    }
    let output = command.output().expect("the renderer");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

/// YAML documents as values.
fn documents(text: &str) -> Option<Vec<Value>> {
    const PROGRAM: &str = "import json, sys, yaml; print(json.dumps([one for one in yaml.safe_load_all(sys.stdin) if one]))";
    let mut python = python_with_schemas()?;
    let mut child = python
        .args(["-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(text.as_bytes()).expect("written");
    drop(stdin);
    let output = child.wait_with_output().expect("an end");
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

/// The pod that a document of this kind describes.
fn pod<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    let document = documents.iter().find(|document| document["kind"] == kind);
    &document.unwrap_or_else(|| panic!("no {kind}"))["spec"]["template"]["spec"]
}

fn args(pod: &Value) -> Vec<String> {
    let args = pod["containers"][0]["args"].as_array().expect("arguments");
    let args = args
        .iter()
        .map(|arg| arg.as_str().expect("text").to_owned());
    args.collect()
}

#[test]
fn the_manifests_are_what_the_chart_renders() {
    let Some(renderer) = renderer() else { return };
    let root = Root::new();
    let mut script = Command::new(from_here("deploy/kubernetes/render"));
    succeed(script.arg(root.path()).env("RINGBOOT_TEMPLATE", renderer));
    let shipped = from_here("deploy/kubernetes/manifests");
    let files = fs::read_dir(&shipped).expect("a folder");
    let names: Vec<_> = files
        .map(|file| file.expect("an entry").file_name())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    for name in names {
        let read = |folder: &Path| fs::read_to_string(folder.join(&name)).expect("a manifest");
        assert!(
            read(&shipped) == read(root.path()),
            "{} is not what the chart renders; run deploy/kubernetes/render",
            name.display()
        );
    }
}

#[test]
fn every_shape_is_valid_for_the_api() {
    let (Some(renderer), Some(mut python)) = (renderer(), python_with_schemas()) else {
        return;
    };
    let root = Root::new();
    let mut paths = Vec::new();
    for (number, settings) in SHAPES.iter().enumerate() {
        let text = render(&renderer, settings, &OF_THE_API).expect("a chart");
        paths.push(root.write(&format!("{number}.yaml"), text.as_bytes()));
    }
    python.args(["-m", "kubernetes_validate", "--strict"]);
    for version in VERSIONS {
        python.args(["-k", version]);
    }
    let said = succeed(python.args(paths));
    for kind in [
        "daemonset",
        "deployment",
        "service",
        "poddisruptionbudget",
        "job",
        "configmap",
    ] {
        for version in VERSIONS {
            let passed = said.lines().any(|line| {
                line.contains("passed") && line.contains(kind) && line.ends_with(version)
            });
            assert!(passed, "no {kind} was checked against {version}:\n{said}");
        }
    }
}

#[test]
fn the_validator_finds_what_is_wrong() {
    let (Some(renderer), Some(mut python)) = (renderer(), python_with_schemas()) else {
        return;
    };
    let settings = [
        r#"files.pvc="tftp""#,
        r#"tolerations=[{"operatr":"Exists"}]"#,
    ];
    let text = render(&renderer, &settings, &["server"]).expect("a chart");
    let root = Root::with("wrong.yaml", text.as_bytes());
    python.args(["-m", "kubernetes_validate", "--strict", "-k", VERSIONS[1]]);
    let output = python
        .arg(root.path().join("wrong.yaml"))
        .output()
        .expect("python");
    assert!(!output.status.success());
}

#[test]
fn mistakes_are_named() {
    let Some(renderer) = renderer() else { return };
    for (settings, word) in [
        (&[][..], "name exactly one of pvc, image, init, hostPath"),
        (
            &[r#"files.pvc="a""#, r#"files.hostPath="/b""#],
            "there are 2",
        ),
        (
            &[r#"files.pvc="a""#, r#"mode="nodePort""#],
            "hostNetwork or loadBalancer",
        ),
        (
            &[r#"files.pvc="a""#, r#"admin.tokenSecret="""#],
            "admin.tokenSecret",
        ),
        (
            &[r#"files.pvc="a""#, "seccomp.install=true"],
            "seccomp.install needs",
        ),
        (
            &[r#"files.pvc="a""#, r#"storm={"enabled":true}"#],
            "storm.target",
        ),
        (
            &[
                r#"files.pvc="a""#,
                r#"storm={"enabled":true,"target":"a","machinesPerPod":500}"#,
            ],
            "a power of ten",
        ),
    ] {
        let refusal = render(&renderer, settings, &[]).expect_err("a mistake");
        assert!(refusal.contains(word), "{settings:?}: {refusal}");
    }
}

#[test]
fn a_pod_has_time_to_drain_and_no_more_rights_than_it_needs() {
    let Some(renderer) = renderer() else { return };
    for (mode, kind, leave) in [
        ("hostNetwork", "DaemonSet", 0),
        ("loadBalancer", "Deployment", 5),
    ] {
        for drain in [0, 30, 300] {
            let settings = [
                r#"files.pvc="tftp""#,
                &format!("mode={mode:?}"),
                &format!("drainTimeout={drain}"),
            ];
            let text = render(&renderer, &settings, &["server"]).expect("a chart");
            let Some(documents) = documents(&text) else {
                return;
            };
            let pod = pod(&documents, kind);
            assert!(args(pod).contains(&format!("--drain-timeout={drain}")));
            let grace = pod["terminationGracePeriodSeconds"].as_u64();
            assert!(grace > Some(drain + leave), "{grace:?} for {drain}");

            assert_eq!(pod["automountServiceAccountToken"], false);
            // RINGBOOT_PORT of a Service with this name would be taken for a setting.
            assert_eq!(pod["enableServiceLinks"], false);
            let rights = &pod["containers"][0]["securityContext"];
            assert_eq!(rights["readOnlyRootFilesystem"], true);
            assert_eq!(rights["allowPrivilegeEscalation"], false);
            assert_eq!(rights["capabilities"]["drop"], serde_json::json!(["ALL"]));
            let added = &rights["capabilities"]["add"];
            if mode == "hostNetwork" {
                assert_eq!(added, &serde_json::json!(["NET_BIND_SERVICE"]));
            } else {
                // What the restricted pod security standard demands.
                assert!(added.is_null());
                assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
                assert_eq!(
                    pod["securityContext"]["seccompProfile"]["type"],
                    "RuntimeDefault"
                );
            }
        }
    }
}

#[test]
fn the_service_keeps_the_clients_addresses() {
    let Some(renderer) = renderer() else { return };
    let settings = [r#"files.pvc="tftp""#, r#"mode="loadBalancer""#];
    let text = render(&renderer, &settings, &[]).expect("a chart");
    let Some(documents) = documents(&text) else {
        return;
    };
    let service = documents
        .iter()
        .find(|document| document["kind"] == "Service");
    let service = &service.expect("a service")["spec"];
    assert_eq!(service["externalTrafficPolicy"], "Local");
    assert_eq!(service["ports"][0]["protocol"], "UDP");
    assert_eq!(service["ports"][0]["port"], 69);
    let pod = pod(&documents, "Deployment");
    assert!(args(pod).contains(&"--single-port".to_owned()));
    let port = &pod["containers"][0]["ports"][0];
    assert_eq!(port["name"], service["ports"][0]["targetPort"]);
    assert!(args(pod).contains(&format!("--listen=:{}", port["containerPort"])));
}

#[test]
fn a_pod_monitor_knows_the_token() {
    let Some(renderer) = renderer() else { return };
    let settings = [
        r#"files.pvc="tftp""#,
        r#"podMonitor={"enabled":true,"labels":{"release":"prometheus"}}"#,
        r#"admin.tokenSecret="secret""#,
    ];
    let text = render(&renderer, &settings, &["podmonitor", "server"]).expect("a chart");
    let Some(documents) = documents(&text) else {
        return;
    };
    let monitor = documents
        .iter()
        .find(|document| document["kind"] == "PodMonitor");
    let monitor = monitor.expect("a monitor");
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    let pod = pod(&documents, "DaemonSet");
    assert_eq!(endpoint["port"], pod["containers"][0]["ports"][1]["name"]);
    let secret = &endpoint["authorization"]["credentials"];
    let volumes = pod["volumes"].as_array().expect("volumes");
    let volume = volumes.iter().find(|volume| volume["name"] == "admin");
    assert_eq!(
        secret["name"],
        volume.expect("a volume")["secret"]["secretName"]
    );
    let file = format!(
        "--admin-token-file=/etc/ringboot/admin/{}",
        secret["key"].as_str().expect("a key")
    );
    assert!(args(pod).contains(&file), "{file}");
}

/// `check` takes every flag of `serve`.
#[test]
fn the_server_takes_the_arguments_of_every_shape() {
    let Some(renderer) = renderer() else { return };
    if !netns::privileged() {
        return;
    }
    let netns = Netns::new();
    let root = Root::with("admin/token", b"a-token-of-24-characters");
    for settings in SHAPES {
        let text = render(&renderer, settings, &["server", "config"]).expect("a chart");
        let Some(documents) = documents(&text) else {
            return;
        };
        let config = documents
            .iter()
            .find_map(|document| document["data"]["ringboot.toml"].as_str());
        root.write(
            "config/ringboot.toml",
            config.unwrap_or_default().as_bytes(),
        );
        let kind = if text.contains("kind: DaemonSet") {
            "DaemonSet"
        } else {
            "Deployment"
        };
        let here = root.path().to_str().expect("a plain path");
        let args = args(pod(&documents, kind)).into_iter().skip(1).map(|arg| {
            arg.replace("/etc/ringboot", here)
                .replace("/srv/tftp", here)
        });
        let argv: Vec<String> = [PROGRAM.to_owned(), "check".into()]
            .into_iter()
            .chain(args)
            .collect();
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let output = netns.run(root.path(), &argv);
        let said =
            String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{argv:?}: {said}");
    }
}

#[test]
fn the_chart_brings_the_profile_of_the_container() {
    let read = |path| fs::read_to_string(from_here(path)).expect("a profile");
    assert!(
        read("deploy/kubernetes/chart/files/seccomp.json")
            == read("deploy/container/seccomp-oci.json"),
        "copy deploy/container/seccomp-oci.json to deploy/kubernetes/chart/files/seccomp.json"
    );
}

/// Two parts of the Job's farm, with its own arguments, against a server here; their results merge.
#[test]
fn parts_of_the_storm_merge() {
    let Some(renderer) = renderer() else { return };
    let bootstorm = Path::new(PROGRAM).with_file_name("bootstorm");
    if !bootstorm.exists() {
        eprintln!("skipped: no bootstorm beside ringboot; cargo test --workspace builds it");
        return;
    }
    let root = Root::new();
    for name in ["undionly.kpxe", "boot.ipxe", "vmlinuz", "initrd.img"] {
        root.write(name, &pattern(20_000, 6));
    }
    let server = Server::start(root.path(), Setup::EPOLL);
    let storm = format!(
        r#"storm={{"enabled":true,"target":"{}","machinesPerPod":10}}"#,
        server.addr()
    );
    let settings = [r#"files.pvc="tftp""#, &storm];
    let text = render(&renderer, &settings, &["storm"]).expect("a chart");
    let Some(documents) = documents(&text) else {
        return;
    };
    let job = &documents[0]["spec"];
    assert_eq!(job["completionMode"], "Indexed");
    assert_eq!(job["completions"], job["parallelism"]);
    let args = args(pod(&documents, "Job"));
    for part in ["0", "1"] {
        let args = args.iter().map(|arg| arg.replace("$(PART)", part));
        let output = Command::new(&bootstorm)
            .args(args)
            .output()
            .expect("bootstorm");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "part {part}: {errors}");
        root.write(&format!("{part}.json"), &output.stdout);
    }
    let mut merge = Command::new(&bootstorm);
    merge.args(["merge", "0.json", "1.json", "-o", "all.json"]);
    succeed(merge.current_dir(root.path()));
    let all = fs::read(root.path().join("all.json")).expect("the whole");
    let all: Value = serde_json::from_slice(&all).expect("JSON");
    assert_eq!(all["boots"]["completed"], 20, "{all}");
}
