//! The frame of the server's HTML pages: the head and the shared style.
//!
//! Pages load nothing and run no scripts. Their colours follow the system's scheme.

use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "\
:root{color-scheme:light dark;background:Canvas;color:CanvasText;--line:#0002;--faint:#666}\
@media(prefers-color-scheme:dark){:root{--line:#fff3;--faint:#aaa}}\
body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}\
h1{font-size:1.25rem;padding:0 .5rem;overflow-wrap:anywhere}\
table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.4rem .5rem;border-bottom:1px solid var(--line);white-space:nowrap}\
p,footer{padding:0 .5rem}footer{color:var(--faint);margin:.5rem 0}\
@media(max-width:30rem){body{padding:.25rem}}";

/// A complete page; `head` is added to the title and the shared style.
pub(crate) fn page(title: &str, head: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
                (head)
            }
            body { (body) }
        }
    }
}
