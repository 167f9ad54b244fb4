//! The modules of a crate, read from its source files: what each defines, imports and refers to.
//!
//! Code that only tests compile is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Item, ItemMod, ItemUse, Macro, Token, UseTree, Visibility};

/// The text of each source file, by its path beneath `src`.
pub(super) type Sources = BTreeMap<PathBuf, String>;

/// One module.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// The file that it is defined in.
    pub file: PathBuf,
    /// The names of the items that it defines, modules left out.
    pub items: BTreeSet<String>,
    pub imports: Vec<Import>,
    /// Paths of several segments in its code, such as `url_name::of`.
    pub references: Vec<Vec<String>>,
    /// The macros that it calls.
    pub macros: BTreeSet<String>,
}

/// One name of a `use` item.
#[derive(Debug)]
pub(super) struct Import {
    /// The name in this module; `*` for all names.
    pub name: String,
    pub path: Vec<String>,
    pub is_public: bool,
}

/// The modules of one crate by their paths; the crate itself has the path `[]`.
pub(super) type Modules = BTreeMap<Vec<String>, Module>;

/// Reads a crate from its root file, such as `lib.rs`.
pub(super) fn read_crate(sources: &Sources, root: &Path) -> Modules {
    let mut modules = Modules::new();
    let directory = root.parent().expect("a file has a directory");
    read_file(sources, root, directory, Vec::new(), &mut modules);
    modules
}

/// Reads a module from `file`; the files of its child modules are beneath `directory`.
fn read_file(
    sources: &Sources,
    file: &Path,
    directory: &Path,
    path: Vec<String>,
    modules: &mut Modules,
) {
    let text = sources.get(file).unwrap_or_else(|| panic!("there is no {}", file.display()));
    let syntax = syn::parse_file(text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut reader =
        Reader { module: Module { file: file.into(), ..Module::default() }, children: vec![] };
    syntax.items.iter().for_each(|item| reader.visit_item(item));
    for child in reader.children {
        assert!(child.content.is_none(), "{}: module {} has no file", file.display(), child.ident);
        let name = child.ident.to_string();
        let candidates =
            [directory.join(format!("{name}.rs")), directory.join(&name).join("mod.rs")];
        let child_file = candidates.iter().find(|file| sources.contains_key(*file));
        let child_file = child_file.unwrap_or_else(|| panic!("no file of module {name}"));
        let child_path = [path.clone(), vec![name.clone()]].concat();
        read_file(sources, child_file, &directory.join(name), child_path, modules);
    }
    modules.insert(path, reader.module);
}

/// Collects what a module consists of.
struct Reader {
    module: Module,
    children: Vec<ItemMod>,
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        let name = match item {
            Item::Const(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Fn(item) => Some(&item.sig.ident),
            Item::Static(item) => Some(&item.ident),
            Item::Struct(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            Item::Union(item) => Some(&item.ident),
            _ => None,
        };
        self.module.items.extend(name.map(ToString::to_string));
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.children.push(item.clone());
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_public = !matches!(item.vis, Visibility::Inherited);
        collect_imports(&item.tree, &mut Vec::new(), is_public, &mut self.module.imports);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let segments = path.segments.iter().map(|segment| segment.ident.to_string());
            self.module.references.push(segments.collect());
        }
        visit::visit_path(self, path);
    }

    /// The path in `pub(in path)` is no use of it.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    /// Macros whose arguments are expressions are looked into.
    fn visit_macro(&mut self, called: &'ast Macro) {
        self.module.macros.extend(called.path.get_ident().map(ToString::to_string));
        let parser = Punctuated::<Expr, Token![,]>::parse_terminated;
        if let Ok(arguments) = called.parse_body_with(parser) {
            arguments.iter().for_each(|argument| self.visit_expr(argument));
        }
        self.visit_path(&called.path);
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

fn collect_imports(
    tree: &UseTree,
    prefix: &mut Vec<String>,
    is_public: bool,
    imports: &mut Vec<Import>,
) {
    let mut add = |name: String, last: Option<String>| {
        let path = prefix.iter().cloned().chain(last).collect();
        imports.push(Import { name, path, is_public });
    };
    match tree {
        UseTree::Path(tree) => {
            prefix.push(tree.ident.to_string());
            collect_imports(&tree.tree, prefix, is_public, imports);
            prefix.pop();
        }
        UseTree::Name(tree) if tree.ident == "self" => {
            add(prefix.last().cloned().unwrap_or_default(), None);
        }
        UseTree::Name(tree) => add(tree.ident.to_string(), Some(tree.ident.to_string())),
        UseTree::Rename(tree) => add(tree.rename.to_string(), Some(tree.ident.to_string())),
        UseTree::Glob(_) => add("*".to_owned(), None),
        UseTree::Group(tree) => {
            for tree in &tree.items {
                collect_imports(tree, prefix, is_public, imports);
            }
        }
    }
}
