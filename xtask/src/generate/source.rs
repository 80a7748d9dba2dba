//! The Rust sources of a binding, as far as all generators read them alike.

use syn::{Attribute, Expr, ExprLit, File, GenericArgument, Lit, Meta, PathArguments, Type};

use crate::shell::root;

/// The files of a folder of the repository, in order of their names.
pub(super) fn read(folder: &str) -> Result<Vec<File>, String> {
    let path = root().join(folder);
    let failed = |error: &dyn std::fmt::Display| format!("{folder}: {error}");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?.path();
        if entry.extension().is_some_and(|extension| extension == "rs") {
            names.push(entry);
        }
    }
    names.sort();
    names
        .iter()
        .map(|name| {
            let text = std::fs::read_to_string(name).map_err(|error| failed(&error))?;
            syn::parse_file(&text).map_err(|error| format!("{}: {error}", name.display()))
        })
        .collect()
}

/// The documentation of an item.
pub(super) fn doc(attributes: &[Attribute]) -> String {
    let lines: Vec<String> = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) => match &pair.value {
                Expr::Lit(ExprLit {
                    lit: Lit::Str(text), ..
                }) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        })
        .collect();
    super::doc::plain(lines.join("\n").trim())
}

/// The attribute of this name.
pub(super) fn attribute<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes
        .iter()
        .find(|attribute| attribute.path().is_ident(name))
}

/// The last name of a type's path and its type arguments: `PyRef` and `Host` of `PyRef<'_, crate::core::Host>`.
pub(super) fn named(kind: &Type) -> Option<(String, Vec<&Type>)> {
    match kind {
        Type::Reference(reference) => named(&reference.elem),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let arguments = match &last.arguments {
                PathArguments::AngleBracketed(arguments) => arguments
                    .args
                    .iter()
                    .filter_map(|argument| match argument {
                        GenericArgument::Type(kind) => Some(kind),
                        _ => None,
                    })
                    .collect(),
                _ => Vec::new(),
            };
            Some((last.ident.to_string(), arguments))
        }
        _ => None,
    }
}

/// Every word of a text that could be a name.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|word| !word.is_empty())
}
