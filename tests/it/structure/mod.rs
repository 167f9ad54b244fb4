//! The structure of `src`: who may use whom, held against the `use` lines and the paths in the code.

mod graph;
mod resolve;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use graph::{against, by_folder, cycles};
use resolve::{Use, uses_of};
use source::{Modules, Sources, read_crate};

/// The files and folders of a folder, a row after the other. Each uses only what is in rows before its
/// own; those in one row do not use one another.
const ORDER: [(&str, &[&str]); 3] = [
    ("", &["lock printable", "http cli", "net", "client server", "lab", "bin"]),
    (
        "client",
        &[
            "credentials error_chain retry stop zone",
            "redact",
            "trust",
            "settings",
            "plan",
            "error",
            "failure_kind",
            "results",
            "observer store transport",
            "hosts",
            "fetch",
            "pool",
            "mod",
        ],
    ),
    (
        "server",
        &[
            "clock html large_buffer",
            "log_interval stop threads tls",
            "limits logs site",
            "access",
            "error",
            "status",
            "config",
            "handler",
            "service",
            "accept connection drain",
            "mod",
        ],
    ),
];

/// What the files of a folder never use: packages and parts of the standard library.
const FORBIDDEN: [(&str, &[&str]); 7] = [
    (
        "http",
        &[
            "rustix",
            "socket2",
            "std::fs",
            "std::net",
            "std::thread",
            "std::time::Instant::now",
            "std::time::SystemTime::now",
        ],
    ),
    ("net", &["std::fs", "std::thread"]),
    ("client/results", &["socket2", "std::net::TcpStream", "std::thread"]),
    ("client", &["anyhow", "clap", "env_logger", "indicatif"]),
    ("http", &["anyhow", "clap", "env_logger", "indicatif"]),
    ("lab", &["anyhow", "clap", "env_logger", "indicatif"]),
    ("server", &["anyhow", "clap", "env_logger", "indicatif"]),
];

const PRINTING: [&str; 5] = ["dbg", "eprint", "eprintln", "print", "println"];

struct Package {
    library: Modules,
    uses: Vec<Use>,
    external: Vec<(PathBuf, String)>,
}

fn read_sources(directory: &Path, sources: &mut Sources) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(&source).unwrap().to_owned();
            sources.insert(name, fs::read_to_string(path).unwrap());
        }
    }
}

fn package() -> Package {
    let mut sources = Sources::new();
    read_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    let library = read_crate(&sources, Path::new("lib.rs"));
    let (mut uses, mut external) = uses_of(&library, &library);
    for binary in ["http_server_conc", "http_client_concurrent"] {
        let root = Path::new("bin").join(binary).join("main.rs");
        let (of_binary, external_of_binary) = uses_of(&read_crate(&sources, &root), &library);
        uses.extend(of_binary);
        external.extend(external_of_binary);
    }
    Package { library, uses, external }
}

#[test]
fn no_files_and_no_folders_use_each_other_in_a_cycle() {
    let folders = by_folder(&package().uses);
    let cycles: Vec<_> = folders.values().flat_map(cycles).collect();
    assert_eq!(cycles, [""; 0]);
}

#[test]
fn each_module_uses_only_what_stands_below_it() {
    let folders = by_folder(&package().uses);
    let against: Vec<_> =
        ORDER.iter().flat_map(|(folder, order)| against(&folders[*folder], order)).collect();
    assert_eq!(against, [""; 0]);
}

#[test]
fn items_are_imported_from_the_files_that_define_them() {
    // A re-export is for the layers above.
    let is_detour = |used: &&Use| {
        let layer = used.from.iter().next();
        used.reexported_by.iter().any(|by| *by != used.from && by.iter().next() == layer)
    };
    let uses = package().uses;
    let detours: Vec<_> = uses.iter().filter(is_detour).map(Use::to_string).collect();
    assert_eq!(detours, [""; 0]);
}

#[test]
fn layers_leave_the_world_to_those_above_them() {
    let external = package().external;
    for (folder, forbidden) in FORBIDDEN {
        for (file, path) in external.iter().filter(|(file, _)| file.starts_with(folder)) {
            let is_within = |prefix: &str| {
                path.strip_prefix(prefix)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            };
            let found = forbidden.iter().find(|prefix| is_within(prefix));
            assert_eq!(found, None, "{} uses {path}", file.display());
        }
    }
}

#[test]
fn the_library_prints_nothing_by_itself() {
    for module in package().library.values() {
        let printing = module.macros.iter().find(|name| PRINTING.contains(&&***name));
        assert_eq!(printing, None, "in {}", module.file.display());
    }
}

/// The checks themselves, on packages of a few lines.
mod checks {
    use super::*;

    fn uses(files: &[(&str, &str)]) -> Vec<Use> {
        let sources =
            files.iter().map(|(file, text)| (PathBuf::from(file), (*text).to_owned())).collect();
        let library = read_crate(&sources, Path::new("lib.rs"));
        uses_of(&library, &library).0
    }

    fn all_cycles(uses: &[Use]) -> Vec<String> {
        by_folder(uses).values().flat_map(cycles).map(str::to_owned).collect()
    }

    #[test]
    fn a_cycle_is_found_through_re_exports_and_between_folders() {
        for (b, d, is_cycle) in [
            ("pub struct B;", "pub struct D;", false),
            // Through what the parent re-exports.
            ("use super::A; pub struct B;", "pub struct D;", true),
            // Of folders, though not of files.
            ("pub struct B;", "use crate::x::a::A; pub struct D;", true),
            // By a path in the code.
            ("pub fn b() { super::a::a() }", "pub struct D;", true),
            ("pub fn b() { assert_eq!(1, crate::A::new()) }", "pub struct D;", true),
            // Tests are left out.
            (
                "pub struct B; #[cfg(test)] mod tests { use super::super::a; }",
                "pub struct D;",
                false,
            ),
        ] {
            let uses = uses(&[
                ("lib.rs", "mod x; mod y; pub use x::A;"),
                ("x/mod.rs", "pub mod a; mod b; pub use a::A;"),
                ("x/a.rs", "use super::b; pub struct A; pub fn a() { b::b() }"),
                ("x/b.rs", b),
                ("x/c.rs", ""),
                ("y/mod.rs", "mod c; pub mod d;"),
                ("y/c.rs", "pub struct C;"),
                ("y/d.rs", d),
            ]);
            let with_folder_use = [
                uses,
                vec![Use {
                    from: "x/b.rs".into(),
                    to: "y/c.rs".into(),
                    path: "crate::y::c::C".into(),
                    reexported_by: vec![],
                }],
            ]
            .concat();
            assert_eq!(!all_cycles(&with_folder_use).is_empty(), is_cycle, "{b} {d}");
        }
    }

    #[test]
    fn a_use_against_the_order_is_found() {
        let uses = uses(&[
            ("lib.rs", "mod low; mod high; mod other;"),
            ("low.rs", "pub struct Low;"),
            ("high.rs", "use crate::low::Low; pub struct High;"),
            ("other.rs", "pub fn f(high: &crate::high::High) {}"),
        ]);
        let folders = by_folder(&uses);
        for (order, count) in [
            (&["low", "high", "other"][..], 0),
            (&["low", "high other"], 1),
            (&["high", "low", "other"], 1),
            (&["low", "other", "high"], 1),
            (&["high", "low"], 2),
        ] {
            assert_eq!(against(&folders[""], order).len(), count, "{order:?}");
        }
    }

    #[test]
    fn a_use_of_the_world_is_found_through_its_import() {
        let text = "use std::time::{self, Instant as Now}; \
            fn f() { (Now::now(), time::SystemTime::now(), std::fs::read(\"x\")); }";
        let sources = Sources::from([(PathBuf::from("lib.rs"), text.to_owned())]);
        let library = read_crate(&sources, Path::new("lib.rs"));
        let paths: Vec<_> =
            uses_of(&library, &library).1.into_iter().map(|(_, path)| path).collect();
        for path in ["std::time::Instant::now", "std::time::SystemTime::now", "std::fs::read"] {
            assert!(paths.iter().any(|found| found == path), "{path}: {paths:?}");
        }
    }

    #[test]
    fn an_import_through_a_re_export_says_so() {
        let files = [
            ("lib.rs", "mod x; mod y;"),
            ("x/mod.rs", "mod a; mod b; pub use a::A as Alias;"),
            ("x/a.rs", "pub struct A;"),
            ("x/b.rs", "use super::Alias;"),
            ("y.rs", "use crate::x::Alias; use std::io;"),
        ];
        for used in uses(&files) {
            assert_eq!(used.to, Path::new("x/a.rs"));
            assert_eq!(used.reexported_by, [Path::new("x/mod.rs")]);
        }
    }
}
