//! Clean URLs: `/about` is the page `about.html`, unless a file, or a directory with an index file, is named
//! `about`.
//!
//! This is the order of nginx's `try_files $uri $uri/ $uri.html`, which answers with 403 for a directory without one.
//! Docusaurus writes `blog.html` beside `blog/` and links to `/blog`. `/about/` is a directory or nothing.

use super::cache::FileCache;
use super::error::LookupError;
use super::file::NamedFile;
use super::opened::{Opened, open_beneath};
use super::root::Root;
use crate::http::TargetPath;

/// Finds the page of a path.
pub(super) fn find_page(
    root: &Root,
    cache: &FileCache,
    path: &TargetPath,
) -> Result<NamedFile<'static>, LookupError> {
    let page = [&path.relative, &b".html"[..]].concat();
    match open_beneath(root, cache, &page)? {
        Opened::File(file) => Ok(NamedFile { file, path: page.into() }),
        Opened::Directory(_) => Err(LookupError::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir, create_dir_all, write};
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;
    use crate::http::{Coding, Method, Target};
    use crate::server::site::lookup::{Resource, Site};
    use crate::server::site::settings::{CleanUrls, SiteSettings};

    fn path(target: &str) -> TargetPath {
        match Target::parse(Method::Get, target.as_bytes()) {
            Ok(Target::Path(path)) => path,
            refused => panic!("{target}: {refused:?}"),
        }
    }

    fn open(root: &Path, clean_urls: CleanUrls) -> Site {
        Site::open(root, SiteSettings { clean_urls, ..Default::default() }).unwrap()
    }

    /// The content that a target leads to, or another description.
    fn find(site: &Site, target: &str) -> String {
        match site.find(&path(target)) {
            Ok(Resource::File(found)) => String::from_utf8(found.file.read()).unwrap(),
            Ok(Resource::Listing(_)) => "listing".to_owned(),
            Ok(Resource::Archive(archive)) => archive.file_name(),
            Ok(Resource::Redirect(location)) => format!("to {location}"),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn a_page_is_found_without_its_suffix_if_nothing_has_the_name() {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path().join("root");
        create_dir_all(root.join("guide/start")).unwrap();
        create_dir_all(root.join("empty")).unwrap();
        create_dir(root.join("folder.html")).unwrap();
        for name in [
            "about.html",
            "guide.html",
            "guide/index.html",
            "guide/setup.html",
            "empty.html",
            "both",
            "both.html",
            "v1.2.html",
            "a b?.html",
            "page.html.html",
            ".hidden.html",
            "PAGE.HTML",
            "photo.htm",
        ] {
            write(root.join(name), name).unwrap();
        }
        write(tree.path().join("outside.html"), "outside").unwrap();
        symlink("../outside.html", root.join("out.html")).unwrap();
        symlink("nothing", root.join("broken")).unwrap();
        symlink("about.html", root.join("broken.html")).unwrap();
        let (clean, plain) = (open(&root, CleanUrls::Served), open(&root, CleanUrls::NotFound));
        for (target, when_served, otherwise) in [
            ("/about", "about.html", "NotFound"),
            ("/about?q=1", "about.html", "NotFound"),
            ("/about.html", "about.html", "about.html"),
            ("/guide/setup", "guide/setup.html", "NotFound"),
            ("/v1.2", "v1.2.html", "NotFound"),
            ("/a%20b%3F", "a b?.html", "NotFound"),
            ("/page.html", "page.html.html", "NotFound"),
            ("/broken", "about.html", "NotFound"),
            // A directory without an index file is no page.
            ("/empty", "empty.html", "to /empty/"),
            // What has the name comes first.
            ("/both", "both", "both"),
            ("/guide", "to /guide/", "to /guide/"),
            ("/guide/", "guide/index.html", "guide/index.html"),
            ("/empty/", "listing", "listing"),
            ("/guide/start", "to /guide/start/", "to /guide/start/"),
            // No page.
            ("/about/", "NotFound", "NotFound"),
            ("/about/more", "NotFound", "NotFound"),
            ("/nothing", "NotFound", "NotFound"),
            ("/folder", "NotFound", "NotFound"),
            ("/.hidden", "NotFound", "NotFound"),
            ("/page", "NotFound", "NotFound"),
            ("/photo", "NotFound", "NotFound"),
            ("/out", "NotFound", "NotFound"),
        ] {
            assert_eq!(find(&clean, target), when_served, "{target}");
            assert_eq!(find(&plain, target), otherwise, "{target}");
        }
    }

    #[test]
    fn a_page_has_its_type_and_its_precompressed_files() {
        let tree = tempfile::tempdir().unwrap();
        for (name, content) in [("about.html", "plain"), ("about.html.br", "br"), ("about.br", "b")]
        {
            write(tree.path().join(name), content).unwrap();
        }
        let site = open(tree.path(), CleanUrls::Served);
        let path = path("/about");
        let Ok(Resource::File(found)) = site.find(&path) else { panic!("it is not found") };
        assert_eq!(found.file.description.content_type, "text/html; charset=utf-8");
        let precompressed = site.find_precompressed(found.path, &found.file);
        assert_eq!(precompressed.take(Coding::Brotli).unwrap().read(), b"br");
    }
}
