//! Both programs together, with the command lines of the documentation.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::program::ServerProgram;

const CLIENT: &str = env!("CARGO_BIN_EXE_http_client_concurrent");

fn fetch(port: u16, folders: &[&str], output: &Path, concurrency: &str) -> Output {
    let urls = folders.iter().flat_map(|folder| {
        (1..=10).map(move |number| format!("http://localhost:{port}/{folder}/file{number}.txt"))
    });
    Command::new(CLIENT)
        .arg("-urls")
        .args(urls)
        .arg("-o")
        .arg(output)
        .args(["-c", concurrency])
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

fn assert_same(got: &Path, folder: &str, name: &str) {
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(name);
    assert!(fs::read(got).unwrap() == fs::read(expected).unwrap(), "{}", got.display());
}

#[test]
fn ten_files_arrive_byte_for_byte_with_a_report() {
    let server = ServerProgram::start(
        Path::new(env!("CARGO_MANIFEST_DIR")),
        &["-p", "0", "-maxclient", "12", "-maxtotal", "60", "-q"],
    );
    for (concurrency, figure) in [("10", "Speedup"), ("1", "Sequential time")] {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("new/downloads");
        let result = fetch(server.port(), &["testfiles1"], &output, concurrency);
        let report = String::from_utf8(result.stdout).unwrap();
        assert!(result.status.success(), "{report}");
        assert!(report.contains("10 of 10 files") && report.contains(figure), "{report}");
        for number in 1..=10 {
            let name = format!("file{number}.txt");
            assert_same(&output.join(&name), "testfiles1", &name);
        }
        assert_eq!(fs::read_dir(&output).unwrap().count(), 10, "and nothing else");
    }
}

#[test]
fn files_of_one_name_from_two_folders_are_numbered() {
    let server = ServerProgram::start(Path::new(env!("CARGO_MANIFEST_DIR")), &["-p", "0", "-q"]);
    let directory = tempfile::tempdir().unwrap();
    let result = fetch(server.port(), &["testfiles1", "testfiles2"], directory.path(), "10");
    assert!(result.status.success());
    for number in 1..=10 {
        let name = format!("file{number}.txt");
        assert_same(&directory.path().join(&name), "testfiles1", &name);
        let second = directory.path().join(format!("file{number}.1.txt"));
        assert_same(&second, "testfiles2", &name);
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 20);
}

#[test]
fn files_called_coded_because_of_their_names_arrive_unchanged() {
    let root = tempfile::tempdir().unwrap();
    let names = ["a.svgz", "a.emz", "a.wrz", "a.x3dz", "a.X3DVZ"];
    for name in names {
        fs::write(root.path().join(name), format!("no gzip at all: {name}")).unwrap();
    }
    let server = ServerProgram::start(root.path(), &["-p", "0", "-q"]);
    for options in [&[][..], &["--compressed"]] {
        let output = tempfile::tempdir().unwrap();
        let urls = names.map(|name| format!("http://localhost:{}/{name}", server.port()));
        let mut command = Command::new(CLIENT);
        command.arg("-urls").args(urls).arg("-o").arg(output.path()).args(options);
        assert!(command.output().unwrap().status.success(), "{options:?}");
        for name in names {
            let found = fs::read_to_string(output.path().join(name)).unwrap();
            assert_eq!(found, format!("no gzip at all: {name}"));
        }
    }
}
