//! Options for the files that are served, and their fields.

use http_concurrent::cli::parse_size;
use http_concurrent::http::is_field_value;
use http_concurrent::server::{
    CleanUrls, DotFiles, ErrorPage, ExtraField, ExtraFields, Listings, PageFile, Precompressed,
    ServerConfig, SiteSettings, SymbolicLinks, is_index_name,
};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Files")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct SiteArgs {
    /// File served for its directory; repeatable, tried in the given order [default: index.html]
    #[arg(long, value_name = "NAME", value_parser = parse_index)]
    index: Vec<String>,

    /// Serve about.html as /about too, unless a file, or a directory with an index file, is named about
    #[arg(long)]
    clean_urls: bool,

    /// A page beneath the directory that is sent with the status in its name, such as 404.html; may be
    /// repeated
    #[arg(long = "error-page", value_name = "FILE")]
    error_pages: Vec<ErrorPage>,

    /// A page beneath the directory, such as index.html, that browsers get for a path without a file: for
    /// single-page applications
    #[arg(long, value_name = "FILE")]
    fallback: Option<PageFile>,

    /// Respond 403 for a directory without an index file, instead of listing or archiving it
    #[arg(long)]
    no_listing: bool,

    /// Serve and list names that begin with a dot
    #[arg(long)]
    hidden: bool,

    /// Follow symbolic links that leave the directory: users who can create links then decide what is
    /// served
    #[arg(long)]
    follow_symlinks: bool,

    /// Do not send precompressed files (.br, .zst, .gz) in place of the originals
    #[arg(long)]
    no_precompressed: bool,

    /// Most memory for files up to 128K that are kept to be sent again; each use is checked against the
    /// file. 0 keeps none
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "32M")]
    cache_size: u64,

    /// Send Cache-Control with files, such as "max-age=3600"
    #[arg(long, value_name = "VALUE", value_parser = parse_field_value)]
    cache_control: Option<String>,

    /// Add a field to every response, including rejections, such as "Access-Control-Allow-Origin: *";
    /// may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<ExtraField>,
}

impl SiteArgs {
    pub(super) fn apply(self, config: &mut ServerConfig) {
        let Self { index, error_pages, fallback, cache_control, headers, .. } = self;
        config.site = SiteSettings {
            index: if index.is_empty() { vec!["index.html".to_owned()] } else { index },
            clean_urls: if self.clean_urls { CleanUrls::Served } else { CleanUrls::NotFound },
            error_pages,
            fallback,
            listings: if self.no_listing { Listings::Refused } else { Listings::Offered },
            dot_files: if self.hidden { DotFiles::Shown } else { DotFiles::Hidden },
            symbolic_links: if self.follow_symlinks {
                SymbolicLinks::Followed
            } else {
                SymbolicLinks::Confined
            },
            precompressed: if self.no_precompressed {
                Precompressed::Ignored
            } else {
                Precompressed::Served
            },
            cache_bytes: self.cache_size,
        };
        config.extra_fields = ExtraFields { cache_control, further: headers };
    }
}

fn parse_index(text: &str) -> Result<String, String> {
    if is_index_name(text) {
        Ok(text.to_owned())
    } else {
        Err("write a plain name, such as index.html".to_owned())
    }
}

fn parse_field_value(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("the value is empty".to_owned())
    } else if is_field_value(text.as_bytes()) {
        Ok(text.to_owned())
    } else {
        Err("the value contains a control character".to_owned())
    }
}
