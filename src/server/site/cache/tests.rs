//! Files in memory while real files change. Other systems than Linux keep none.
#![cfg(target_os = "linux")]

use std::fs::{
    FileTimes, Permissions, create_dir, hard_link, metadata, remove_file, rename, set_permissions,
    write,
};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::server::site::settings::SymbolicLinks;
use crate::server::test_wait::wait_until;

const LARGE: u64 = 1024 * 1024;

/// A time at which everything that exists now is settled.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}

fn confined(tree: &Path) -> Root {
    Root::open(tree, SymbolicLinks::Confined).unwrap()
}

/// Opens and loads a file as a request would at the time `before`; whether it was kept.
fn load(cache: &FileCache, root: &Root, relative: &str, before: SystemTime) -> bool {
    let file = File::from(root.open_beneath(relative.as_bytes()).unwrap());
    let metadata = file.metadata().unwrap();
    cache.load(root, relative.as_bytes(), &file, &metadata, before).is_some()
}

/// The content of the file, if it is in memory and unchanged.
fn find(cache: &FileCache, root: &Root, relative: &str) -> Option<Vec<u8>> {
    cache.find(root, relative.as_bytes()).map(StaticFile::read)
}

/// Waits until a change is recorded with a later time than that of the last change of `path`.
fn wait_for_clock_step(path: &Path) {
    let changed = FileState::of(&metadata(path).unwrap()).version.changed;
    let probe = tempfile::NamedTempFile::new_in(path.parent().unwrap()).unwrap();
    wait_until("the file system's clock has advanced", || {
        write(probe.path(), "probe").unwrap();
        FileState::of(&metadata(probe.path()).unwrap()).version.changed > changed
    });
}

/// A directory `d` with the file `d/a`, and the file beside it that changes put in its place.
fn tree() -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    create_dir(tree.path().join("d")).unwrap();
    write(tree.path().join("d/a"), "content").unwrap();
    write(tree.path().join("other"), "another").unwrap();
    tree
}

#[test]
fn a_file_is_kept_until_its_path_leads_to_another_state() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 10] = [
        ("rewritten in place, same size and time", |tree| {
            let path = tree.join("d/a");
            let modified = metadata(&path).unwrap().modified().unwrap();
            write(&path, "changed").unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_times(FileTimes::new().set_modified(modified)).unwrap();
        }),
        ("replaced, same size and time", |tree| {
            let modified = metadata(tree.join("d/a")).unwrap().modified().unwrap();
            let file = File::options().write(true).open(tree.join("other")).unwrap();
            file.set_times(FileTimes::new().set_modified(modified)).unwrap();
            rename(tree.join("other"), tree.join("d/a")).unwrap();
        }),
        ("longer", |tree| write(tree.join("d/a"), "content and more").unwrap()),
        ("shorter", |tree| write(tree.join("d/a"), "").unwrap()),
        ("removed", |tree| remove_file(tree.join("d/a")).unwrap()),
        ("renamed", |tree| rename(tree.join("d/a"), tree.join("d/b")).unwrap()),
        ("a link to another file", |tree| {
            remove_file(tree.join("d/a")).unwrap();
            symlink("../other", tree.join("d/a")).unwrap();
        }),
        ("a link to itself elsewhere", |tree| {
            rename(tree.join("d/a"), tree.join("d/b")).unwrap();
            symlink("b", tree.join("d/a")).unwrap();
        }),
        ("a directory", |tree| {
            remove_file(tree.join("d/a")).unwrap();
            create_dir(tree.join("d/a")).unwrap();
        }),
        ("permission taken away", |tree| {
            set_permissions(tree.join("d/a"), Permissions::from_mode(0o000)).unwrap();
        }),
    ];
    for (name, change) in changes {
        let tree = tree();
        let (cache, root) = (FileCache::new(LARGE), confined(tree.path()));
        assert_eq!(find(&cache, &root, "d/a"), None, "it was not loaded yet");
        assert!(load(&cache, &root, "d/a", later()));
        assert_eq!(find(&cache, &root, "d/a").as_deref(), Some(&b"content"[..]));
        wait_for_clock_step(&tree.path().join("d/a"));
        change(tree.path());
        assert_eq!(find(&cache, &root, "d/a"), None, "{name}");
    }
}

#[test]
fn a_directory_that_became_a_link_is_noticed_when_the_root_is_opened_again() {
    let (tree, outside) = (tree(), tempfile::tempdir().unwrap());
    let (cache, root) = (FileCache::new(LARGE), confined(tree.path()));
    assert!(load(&cache, &root, "d/a", later()));
    let moved = outside.path().join("d");
    rename(tree.path().join("d"), &moved).unwrap();
    symlink(&moved, tree.path().join("d")).unwrap();
    let opened_again = confined(tree.path());
    assert_eq!(find(&cache, &opened_again, "d/a"), None, "the link leads out of the root");
    remove_file(tree.path().join("d")).unwrap();
    rename(&moved, tree.path().join("d")).unwrap();
    assert_eq!(find(&cache, &opened_again, "d/a").as_deref(), Some(&b"content"[..]));
}

#[test]
fn a_file_is_replaced_in_memory_when_it_is_loaded_again() {
    let tree = tree();
    let (cache, root) = (FileCache::new(LARGE), confined(tree.path()));
    for content in ["one", "two"] {
        write(tree.path().join("d/a"), content).unwrap();
        assert!(load(&cache, &root, "d/a", later()));
        assert_eq!(find(&cache, &root, "d/a").as_deref(), Some(content.as_bytes()));
        wait_for_clock_step(&tree.path().join("d/a"));
    }
}

#[test]
fn a_file_that_changed_a_moment_ago_is_not_kept() {
    let tree = tree();
    let (cache, root) = (FileCache::new(LARGE), confined(tree.path()));
    let changed = FileState::of(&metadata(tree.path().join("d/a")).unwrap()).version.changed;
    let step = Duration::from_secs(2);
    for (before, is_kept) in [
        (changed - step, false),
        (changed, false),
        (changed + step, false),
        (changed + step + Duration::from_nanos(1), true),
    ] {
        assert_eq!(load(&cache, &root, "d/a", before), is_kept, "{before:?}");
    }
    // A modification in the future: `Last-Modified` would change with the clock.
    let file = File::options().write(true).open(tree.path().join("d/a")).unwrap();
    file.set_times(FileTimes::new().set_modified(later() + step)).unwrap();
    assert!(!load(&cache, &root, "d/a", later()));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_not_kept() {
    let tree = tree();
    let (cache, root) = (FileCache::new(LARGE), confined(tree.path()));
    let file = File::open(tree.path().join("d/a")).unwrap();
    let metadata = file.metadata().unwrap();
    wait_for_clock_step(&tree.path().join("d/a"));
    for content in ["changed", "cut"] {
        write(tree.path().join("d/a"), content).unwrap();
        assert!(cache.load(&root, b"d/a", &file, &metadata, later()).is_none(), "{content}");
    }
    assert_eq!(find(&cache, &root, "d/a"), None);
}

#[test]
fn files_behind_links_are_kept_only_where_links_are_followed_anywhere() {
    let tree = tree();
    symlink("a", tree.path().join("d/link")).unwrap();
    symlink("d", tree.path().join("way")).unwrap();
    let followed = Root::open(tree.path(), SymbolicLinks::Followed).unwrap();
    for relative in ["d/link", "way/a", "way/link"] {
        let cache = FileCache::new(LARGE);
        assert!(!load(&cache, &confined(tree.path()), relative, later()), "{relative}");
        assert!(load(&cache, &followed, relative, later()), "{relative}");
        assert_eq!(find(&cache, &followed, relative).as_deref(), Some(&b"content"[..]));
        assert_eq!(find(&cache, &confined(tree.path()), relative), None, "{relative}");
    }
    let cache = FileCache::new(LARGE);
    assert!(load(&cache, &followed, "d/link", later()));
    remove_file(tree.path().join("d/link")).unwrap();
    symlink("../other", tree.path().join("d/link")).unwrap();
    assert_eq!(find(&cache, &followed, "d/link"), None, "the link was switched");
}

#[test]
fn another_directory_under_the_path_of_the_root_has_its_own_files() {
    let (one, other) = (tree(), tree());
    write(other.path().join("d/a"), "changed").unwrap();
    let cache = FileCache::new(LARGE);
    assert!(load(&cache, &confined(one.path()), "d/a", later()));
    assert_eq!(find(&cache, &confined(other.path()), "d/a"), None);
    // The same file under two names needs no copy for each.
    hard_link(one.path().join("d/a"), other.path().join("same")).unwrap();
    assert_eq!(find(&cache, &confined(other.path()), "same"), None, "it was not loaded there");
}

#[test]
fn the_length_of_a_file_and_the_memory_of_all_are_bounded() {
    let tree = tempfile::tempdir().unwrap();
    let root = confined(tree.path());
    let sizes = [0, 1, MAX_FILE_BYTES - 1, MAX_FILE_BYTES, MAX_FILE_BYTES + 1];
    for (name, size) in ["a", "b", "c", "d", "e"].into_iter().zip(sizes) {
        File::create(tree.path().join(name)).unwrap().set_len(size).unwrap();
        let (cache, is_kept) = (FileCache::new(LARGE), (1..=MAX_FILE_BYTES).contains(&size));
        assert_eq!(load(&cache, &root, name, later()), is_kept, "{size}");
        assert_eq!(find(&cache, &root, name).is_some(), is_kept, "{size}");
        assert!(!load(&FileCache::new(0), &root, name, later()), "nothing is kept");
    }
    File::create(tree.path().join("b")).unwrap().set_len(64 * 1024).unwrap();
    assert!(!load(&FileCache::new(64 * 1024), &root, "b", later()), "it would be evicted at once");
    for bytes in [MAX_FILE_BYTES, LARGE, 8 * LARGE] {
        let cache = FileCache::new(bytes);
        for number in 0..100 {
            let name = number.to_string();
            File::create(tree.path().join(&name)).unwrap().set_len(100 * 1024).unwrap();
            load(&cache, &root, &name, later());
        }
        let files = cache.files.as_ref().unwrap();
        assert!(files.weight() <= bytes, "{} of {bytes}", files.weight());
        let expected = bytes / (105 * 1024);
        assert!(files.len() as u64 >= expected / 2, "{} of {expected}", files.len());
    }
}

#[test]
fn only_known_local_file_systems_have_the_clock_of_this_machine() {
    assert!(has_local_clock(&tempfile::tempfile().unwrap()));
    assert!(!has_local_clock(&File::open("/proc/version").unwrap()));
}
