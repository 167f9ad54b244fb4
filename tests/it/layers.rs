//! Who may know whom: the `use` lines of the library keep the direction of its layers.

use std::fs;
use std::path::{Path, PathBuf};

fn source_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Lines of code in a room that mention one of the forbidden words, its unit tests left out.
fn offences(room: &str, forbidden: &[&str]) -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room);
    let mut files = Vec::new();
    if directory.is_dir() {
        source_files(&directory, &mut files);
    }
    assert!(!files.is_empty(), "there is no room {room}");
    files.retain(|file| !file.file_name().unwrap().to_str().unwrap().contains("test"));
    let mut offences = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            if forbidden.iter().any(|word| line.contains(word)) {
                offences.push(format!("{}: {}", file.display(), line.trim()));
            }
        }
    }
    offences
}

#[test]
fn the_layers_know_only_what_lies_below_them() {
    let outer = ["clap", "anyhow", "env_logger", "indicatif"].map(|name| format!("{name}::"));
    let outer: Vec<&str> = outer.iter().map(String::as_str).collect();
    for (room, forbidden) in [
        (
            "http",
            &[
                "std::net",
                "std::fs",
                "std::thread",
                "Instant::now",
                "SystemTime::now",
                "socket2",
                "rustix",
                "crate::net",
                "crate::server",
                "crate::client",
                "crate::lab",
            ][..],
        ),
        ("net", &["crate::server", "crate::client", "crate::lab", "std::fs", "std::thread"]),
        ("server", &["crate::client", "crate::lab"]),
        ("client", &["crate::server", "crate::lab"]),
        ("lab", &["crate::server", "crate::net", "crate::http"]),
    ] {
        let forbidden = [forbidden, &outer[..]].concat();
        assert_eq!(offences(room, &forbidden), Vec::<String>::new(), "in {room}");
    }
}

#[test]
fn the_library_prints_nothing_by_itself() {
    let words = ["println!", "print!", "eprintln!", "eprint!", "dbg!"];
    for room in ["http", "net", "server", "client", "lab"] {
        assert_eq!(offences(room, &words), Vec::<String>::new(), "in {room}");
    }
}
