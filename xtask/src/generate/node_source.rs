//! What the sources of the Node binding offer, and under which names its `index.js` lets it out.

use std::collections::BTreeMap;

use syn::{Attribute, Expr, FnArg, ImplItem, Item, Lit, Pat, ReturnType, Signature, Type};

use super::source;
use super::typescript_types::camel;
use crate::shell::root;

/// The addon, as `index.js` shows it.
pub(super) struct Addon {
    pub(super) classes: BTreeMap<String, Class>,
    pub(super) functions: BTreeMap<String, Function>,
    /// Public name and name in the addon.
    pub(super) exports: Vec<(String, String)>,
    pub(super) testkit: Vec<(String, String)>,
}

/// A class.
pub(super) struct Class {
    pub(super) doc: String,
    pub(super) members: Vec<Function>,
    /// Whether `index.js` makes it its own async iterator.
    pub(super) iterates: bool,
}

/// A function, method, getter or constructor.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) kind: FunctionKind,
    pub(super) parameters: String,
    pub(super) returns: String,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum FunctionKind {
    Constructor,
    Factory,
    Getter,
    Method,
    Free,
}

/// Reads the sources. Names every public item that has no documentation, no type or no name in `index.js`.
pub(super) fn addon() -> Result<Addon, String> {
    let mut faults = Vec::new();
    let mut addon = Addon {
        classes: BTreeMap::new(),
        functions: BTreeMap::new(),
        exports: Vec::new(),
        testkit: Vec::new(),
    };
    let files = source::read("bindings-node/src")?;
    let items = || files.iter().flat_map(|file| &file.items);
    for item in items() {
        if let Item::Struct(class) = item
            && source::attribute(&class.attrs, "napi").is_some()
        {
            let doc = source::doc(&class.attrs);
            if doc.is_empty() {
                faults.push(format!("{} has no documentation", class.ident));
            }
            addon.classes.insert(
                class.ident.to_string(),
                Class {
                    doc,
                    members: Vec::new(),
                    iterates: false,
                },
            );
        }
    }
    for item in items() {
        match item {
            Item::Impl(block) if source::attribute(&block.attrs, "napi").is_some() => {
                let Some((name, _)) = source::named(&block.self_ty) else {
                    continue;
                };
                for item in &block.items {
                    if let ImplItem::Fn(method) = item
                        && let Some(member) = function(&method.attrs, &method.sig, Some(&name), &mut faults)
                        && let Some(class) = addon.classes.get_mut(&name)
                    {
                        class.members.push(member);
                    }
                }
            }
            Item::Fn(free) => {
                if let Some(function) = function(&free.attrs, &free.sig, None, &mut faults) {
                    addon.functions.insert(function.name.clone(), function);
                }
            }
            _ => {}
        }
    }
    read_door(&mut addon, &mut faults)?;
    if faults.is_empty() {
        Ok(addon)
    } else {
        Err(format!("bindings-node:\n  {}", faults.join("\n  ")))
    }
}

/// Reads the names in `index.js`: `exports.Host = native.Host;`, and within `testkit` `Google: native.StandInGoogle,`.
fn read_door(addon: &mut Addon, faults: &mut Vec<String>) -> Result<(), String> {
    let text = std::fs::read_to_string(root().join("bindings-node/index.js"))
        .map_err(|error| format!("bindings-node/index.js: {error}"))?;
    for line in text.lines().map(str::trim) {
        if let Some((class, _)) = line
            .strip_prefix("native.")
            .and_then(|rest| rest.split_once(".prototype[Symbol.asyncIterator]"))
            && let Some(class) = addon.classes.get_mut(class)
        {
            class.iterates = true;
        }
        if let Some((name, native)) = line
            .strip_prefix("exports.")
            .and_then(|rest| rest.strip_suffix(';'))
            .and_then(|rest| rest.split_once(" = native."))
        {
            addon.exports.push((name.to_owned(), native.to_owned()));
        }
        if let Some((name, native)) = line
            .strip_suffix(',')
            .and_then(|rest| rest.split_once(": native."))
        {
            addon.testkit.push((name.to_owned(), native.to_owned()));
        }
    }
    let let_out = |name: &String| {
        addon
            .exports
            .iter()
            .chain(&addon.testkit)
            .any(|(_, native)| native == name)
    };
    for name in addon.classes.keys().chain(addon.functions.keys()) {
        if !let_out(name) {
            faults.push(format!("{name} has no name in index.js"));
        }
    }
    Ok(())
}

/// The options of a `#[napi(…)]`.
fn options(attribute: &Attribute) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    // `#[napi]` alone has none.
    let _ = attribute.parse_nested_meta(|meta| {
        let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        let mut value = String::new();
        if meta.input.peek(syn::Token![=])
            && let Expr::Lit(literal) = meta.value()?.parse()?
            && let Lit::Str(text) = literal.lit
        {
            value = text.value();
        }
        found.insert(key, value);
        Ok(())
    });
    found
}

fn function(
    attributes: &[Attribute],
    signature: &Signature,
    class: Option<&str>,
    faults: &mut Vec<String>,
) -> Option<Function> {
    let options = options(source::attribute(attributes, "napi")?);
    if options.contains_key("skip_typescript") {
        return None;
    }
    let rust = signature.ident.to_string();
    let path = class.map_or_else(|| rust.clone(), |class| format!("{class}.{rust}"));
    let kind = match () {
        () if class.is_none() => FunctionKind::Free,
        () if options.contains_key("constructor") => FunctionKind::Constructor,
        () if options.contains_key("factory") => FunctionKind::Factory,
        () if options.contains_key("getter") => FunctionKind::Getter,
        () => FunctionKind::Method,
    };
    let doc = source::doc(attributes);
    if doc.is_empty() && kind != FunctionKind::Constructor {
        faults.push(format!("{path} has no documentation"));
    }
    let parameters = options.get("ts_args_type").cloned().or_else(|| {
        let known = parameters(signature);
        if known.is_none() {
            faults.push(format!("{path} needs `ts_args_type`"));
        }
        known
    });
    let returns = options.get("ts_return_type").cloned().or_else(|| {
        let known = match &signature.output {
            ReturnType::Default => Some("void".to_owned()),
            ReturnType::Type(_, kind) => typescript(kind, class),
        };
        if known.is_none() {
            faults.push(format!("{path} needs `ts_return_type`"));
        }
        known
    });
    Some(Function {
        name: options.get("js_name").cloned().unwrap_or_else(|| camel(&rust)),
        doc,
        kind,
        parameters: parameters.unwrap_or_default(),
        returns: returns.unwrap_or_default(),
    })
}

fn parameters(signature: &Signature) -> Option<String> {
    let mut all = Vec::new();
    for input in &signature.inputs {
        let FnArg::Typed(typed) = input else { continue };
        let Pat::Ident(name) = &*typed.pat else {
            return None;
        };
        let (kind, arguments) = source::named(&typed.ty)?;
        if kind == "Env" {
            continue;
        }
        let name = camel(&name.ident.to_string());
        all.push(if kind == "Option" {
            format!("{name}?: {}", typescript(arguments.first()?, None)?)
        } else {
            format!("{name}: {}", typescript(&typed.ty, None)?)
        });
    }
    Some(all.join(", "))
}

/// The TypeScript type that a Rust type is. None where Rust says no more than "a value".
fn typescript(kind: &Type, class: Option<&str>) -> Option<String> {
    if let Type::Tuple(tuple) = kind
        && tuple.elems.is_empty()
    {
        return Some("void".to_owned());
    }
    let (name, arguments) = source::named(kind)?;
    let argument = || arguments.first().and_then(|argument| typescript(argument, class));
    Some(match name.as_str() {
        "String" | "str" => "string".to_owned(),
        "bool" => "boolean".to_owned(),
        "f64" | "u32" | "i32" | "i64" => "number".to_owned(),
        "Buffer" => "Buffer".to_owned(),
        "Self" => class?.to_owned(),
        "Result" | "ClassInstance" => argument()?,
        "Option" => format!("{} | null", argument()?),
        "Vec" => format!("Array<{}>", argument()?),
        "Value" | "Unknown" | "Object" | "PromiseRaw" => return None,
        _ => name,
    })
}

#[cfg(test)]
mod tests {
    use super::addon;

    #[test]
    fn every_public_item_is_documented_typed_and_exported() {
        let addon = addon().unwrap();
        let members: usize = addon.classes.values().map(|class| class.members.len()).sum();
        assert!(addon.classes.len() >= 10, "{} classes", addon.classes.len());
        assert!(members >= 40, "{members} members");
        assert!(addon.testkit.len() >= 5, "{} stand-ins", addon.testkit.len());
    }
}
