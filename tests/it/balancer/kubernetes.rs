//! The objects for Kubernetes in the README: their schemas, and the command of their container.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::geteuid;

use super::readme;
use crate::support::client::stderr;
use crate::support::program::{SERVER, ServerProgram};
use crate::support::with_patience;

#[test]
#[ignore = "needs kubernetes-validate"]
fn the_objects_match_the_schemas() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kubernetes.yaml");
    let text = readme::block("kubernetes.yaml");
    for (text, is_valid) in
        [(text.clone(), true), (text.replace("readOnlyRoot", "readOnly"), false)]
    {
        fs::write(&path, text).unwrap();
        let output = with_patience()
            .args(["kubernetes-validate", "--strict", "-k", "1.37"])
            .arg(&path)
            .output()
            .unwrap();
        assert_eq!(output.status.success(), is_valid, "{}", stderr(&output));
    }
}

/// The seconds in the line of a setting such as `--drain-delay=`.
fn seconds(text: &str, setting: &str) -> u32 {
    let (_, rest) = text.split_once(setting).unwrap_or_else(|| panic!("there is no {setting}"));
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn the_server_of_the_container_starts_and_has_the_time_to_drain() {
    let text = readme::block("kubernetes.yaml");
    let drain = seconds(&text, "--drain-delay=") + seconds(&text, "--drain-timeout=");
    assert!(seconds(&text, "terminationGracePeriodSeconds:") > drain, "{drain} s");
    // Other users may enter it, and perhaps not the directory in which the program was built.
    let root = tempfile::tempdir().unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(root.path().join("small"), "Hello").unwrap();
    let program = root.path().join("server");
    // Not fs::copy: a test that starts a program at this moment would inherit the file, still open for writing.
    assert!(with_patience().args(["cp", SERVER]).arg(&program).status().unwrap().success());
    let mut command = Command::new(program);
    for line in text.lines().filter_map(|line| line.trim().strip_prefix("- --")) {
        command.arg(format!("--{}", line.replace("/srv/files", root.path().to_str().unwrap())));
    }
    command.args(["-p", "0"]);
    if geteuid().is_root() {
        command.uid(seconds(&text, "runAsUser:")).gid(seconds(&text, "runAsGroup:"));
    }
    let server = ServerProgram::launch(command, root.path());
    assert_eq!(server.connect_from(1).get("/small").text(), "Hello");
}
