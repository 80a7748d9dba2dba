//! The public names of the Rust handles, read from the sources: methods and fields, and whether a method waits.

use std::collections::BTreeMap;
use std::path::Path;

use syn::visit::Visit;

use super::Names;
use super::holes::{HANDLES, RENAMED};
use crate::shell;

/// What makes a handle is no verb of it, and an option of a builder is an argument elsewhere.
const CONSTRUCTORS: &[&str] = &["new", "default", "builder", "start", "at"];
const CONSTRUCTOR_BEGINNINGS: &[&str] = &["with_", "from_", "start_", "builder_"];

/// Where a handle is written.
pub(super) struct Handle {
    /// Its name in Python and Node.
    pub(super) name: &'static str,
    /// Its name in Rust.
    pub(super) rust: &'static str,
    /// The folder of its sources.
    pub(super) room: &'static str,
}

/// Names as the other languages would call them, each with `async`, `sync`, `field` or `handle`.
pub(super) fn names() -> Result<Names, String> {
    let mut names = Names::new();
    for handle in HANDLES {
        let room = shell::root().join(handle.room);
        let mut found = Found {
            rust: handle.rust,
            names: BTreeMap::new(),
        };
        files(&room, &mut |path| {
            let text =
                std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let file = syn::parse_file(&text).map_err(|error| format!("{}: {error}", path.display()))?;
            found.visit_file(&file);
            Ok(())
        })?;
        if found.names.is_empty() {
            return Err(format!("{} has no public name in {}", handle.rust, handle.room));
        }
        let functions = handle.name.is_empty();
        if !functions {
            names.insert(handle.name.to_owned(), "handle".to_owned());
        }
        for (verb, kind) in found.names {
            let name = if functions {
                format!("{}::{verb}", handle.rust)
            } else {
                format!("{}.{verb}", handle.name)
            };
            let name = RENAMED
                .iter()
                .find(|(rust, _)| *rust == name)
                .map_or(name.as_str(), |(_, name)| *name);
            names.insert(name.to_owned(), kind.to_owned());
        }
    }
    Ok(names)
}

/// Every Rust source below `room`, or `room` itself.
fn files(room: &Path, each: &mut dyn FnMut(&Path) -> Result<(), String>) -> Result<(), String> {
    if room.is_file() {
        return each(room);
    }
    let entries = std::fs::read_dir(room).map_err(|error| format!("{}: {error}", room.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            files(&path, each)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            each(&path)?;
        }
    }
    Ok(())
}

struct Found {
    rust: &'static str,
    names: BTreeMap<String, &'static str>,
}

impl<'a> Visit<'a> for Found {
    fn visit_item_mod(&mut self, module: &'a syn::ItemMod) {
        if !only_for_tests(&module.attrs) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_struct(&mut self, item: &'a syn::ItemStruct) {
        if item.ident == self.rust && is_public(&item.vis) {
            for field in item.fields.iter().filter(|field| is_public(&field.vis)) {
                if let Some(name) = &field.ident {
                    self.names.insert(name.to_string(), "field");
                }
            }
        }
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        let syn::Type::Path(path) = &*item.self_ty else {
            return;
        };
        let is_it = path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == self.rust);
        if item.trait_.is_some() || !is_it || only_for_tests(&item.attrs) {
            return;
        }
        for method in &item.items {
            if let syn::ImplItem::Fn(method) = method
                && is_public(&method.vis)
                && !only_for_tests(&method.attrs)
            {
                self.add(&method.sig);
            }
        }
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        // Functions are asked for by the name of their module, which begins with a small letter.
        if self.rust.starts_with(char::is_lowercase) && is_public(&item.vis) && !only_for_tests(&item.attrs) {
            self.add(&item.sig);
        }
    }
}

impl Found {
    fn add(&mut self, signature: &syn::Signature) {
        let name = signature.ident.to_string();
        let makes = CONSTRUCTORS.contains(&name.as_str())
            || CONSTRUCTOR_BEGINNINGS.iter().any(|begin| name.starts_with(begin));
        if !makes {
            let kind = if signature.asyncness.is_some() {
                "async"
            } else {
                "sync"
            };
            self.names.insert(name, kind);
        }
    }
}

fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}

fn only_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Ident>()
                .is_ok_and(|word| word == "test")
    })
}
