//! From a path in the code to the file that defines what it names, through re-exports.

use std::fmt;
use std::path::{Path, PathBuf};

use super::source::{Module, Modules};

/// The name of the library, by which the binaries refer to it.
const LIBRARY: &str = "http_concurrent";

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// An item or a module of this package, through the files that re-export it.
    Internal { file: PathBuf, reexported_by: Vec<PathBuf> },
    /// Something of another package, by its whole path.
    External(Vec<String>),
}

/// One file that uses another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    pub from: PathBuf,
    pub to: PathBuf,
    /// The path as it is written.
    pub path: String,
    pub reexported_by: Vec<PathBuf>,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} uses {}, which is in {}", self.from.display(), self.path, self.to.display())
    }
}

/// All uses of files and of external items in a crate; `library` is empty for the library itself.
pub(super) fn uses_of(modules: &Modules, library: &Modules) -> (Vec<Use>, Vec<(PathBuf, String)>) {
    let (mut internal, mut external) = (Vec::new(), Vec::new());
    let resolver = Resolver { modules, library };
    for (at, module) in modules {
        // A re-export is no use: those who import through it use what it leads to.
        let imported = module.imports.iter().filter(|import| !import.is_public).map(|i| &i.path);
        for path in imported.chain(&module.references) {
            match resolver.target(at, path) {
                Some(Target::Internal { file, reexported_by }) if file != module.file => {
                    let (from, path) = (module.file.clone(), path.join("::"));
                    internal.push(Use { from, to: file, path, reexported_by });
                }
                Some(Target::Internal { .. }) | None => {}
                Some(Target::External(path)) => {
                    external.push((module.file.clone(), path.join("::")));
                }
            }
        }
    }
    internal.sort();
    internal.dedup();
    (internal, external)
}

struct Resolver<'m> {
    modules: &'m Modules,
    library: &'m Modules,
}

impl Resolver<'_> {
    /// What the path means in the module `at`; `None` for a local type, variant or generic.
    fn target(&self, at: &[String], path: &[String]) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let mut base = match first.as_str() {
            "crate" => return self.within(self.modules, vec![], rest, vec![]),
            "super" => at.split_last()?.1.to_vec(),
            "self" => at.to_vec(),
            LIBRARY => return self.within(self.library, vec![], rest, vec![]),
            name => return self.named(self.modules, at, name, rest, vec![]),
        };
        let mut rest = rest;
        while let [first, others @ ..] = rest
            && first == "super"
        {
            base.pop();
            rest = others;
        }
        self.within(self.modules, base, rest, vec![])
    }

    /// What a path means whose first segment is a child, an item or an import of the module `at`, or
    /// another package.
    fn named(
        &self,
        modules: &Modules,
        at: &[String],
        name: &str,
        rest: &[String],
        reexported_by: Vec<PathBuf>,
    ) -> Option<Target> {
        let module = &modules[at];
        let child = [at, &[name.to_owned()]].concat();
        // In `use log::log` the first `log` is the package.
        let is_imported =
            module.imports.iter().any(|import| import.name == name && import.path[0] != name);
        if modules.contains_key(&child) || module.items.contains(name) || is_imported {
            let path = [&[name.to_owned()], rest].concat();
            return self.within(modules, at.to_vec(), &path, reexported_by);
        }
        let is_package = name.chars().next().is_some_and(char::is_lowercase);
        is_package.then(|| Target::External([&[name.to_owned()], rest].concat()))
    }

    /// What the path means that is relative to the module `at`.
    fn within(
        &self,
        modules: &Modules,
        mut at: Vec<String>,
        path: &[String],
        mut reexported_by: Vec<PathBuf>,
    ) -> Option<Target> {
        for (index, segment) in path.iter().enumerate() {
            let child = [at.clone(), vec![segment.clone()]].concat();
            // An item may have the name of a module; the last segment then means the item.
            let is_last_and_item =
                index + 1 == path.len() && defines_or_imports(&modules[&at], segment);
            if modules.contains_key(&child) && !is_last_and_item {
                at = child;
                continue;
            }
            let module = &modules[&at];
            if segment == "*" || module.items.contains(segment) {
                break;
            }
            let import = module.imports.iter().find(|import| import.name == *segment)?;
            if import.is_public {
                reexported_by.push(module.file.clone());
            }
            let path = [&import.path[..], &path[index + 1..]].concat();
            let resolver = Resolver { modules, library: self.library };
            return match resolver.target(&at, &path)? {
                Target::Internal { file, reexported_by: further } => {
                    reexported_by.extend(further);
                    Some(Target::Internal { file, reexported_by })
                }
                external @ Target::External(_) => Some(external),
            };
        }
        Some(Target::Internal { file: modules[&at].file.clone(), reexported_by })
    }
}

fn defines_or_imports(module: &Module, name: &str) -> bool {
    module.items.contains(name) || module.imports.iter().any(|import| import.name == name)
}

/// The folders and the file of a path; a `mod.rs`, `main.rs` or `lib.rs` is a file of its folder.
pub(super) fn components(file: &Path) -> Vec<String> {
    file.with_extension("").iter().map(|part| part.to_str().expect("UTF-8").to_owned()).collect()
}
