//! What the sources of the Python binding offer: classes, methods and functions with their types.
//!
//! A type is written where it is made: a Rust type that says it all needs nothing; what Rust calls "some object" is
//! annotated in `#[pyo3(signature = (…) -> "…")]`, or, where pyo3 takes no signature, by a last line
//! `Returns: …` of the documentation. An awaitable twin has the types of the method that it is a twin of.

use std::collections::BTreeMap;

use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, FnArg, Ident, ImplItem, Item, LitStr, Pat, ReturnType, Signature, Token, Type};

use super::source;

/// The compiled module.
pub(super) struct Module {
    pub(super) classes: BTreeMap<String, Class>,
    pub(super) functions: BTreeMap<String, Function>,
}

/// A class.
pub(super) struct Class {
    pub(super) doc: String,
    pub(super) methods: Vec<Function>,
}

/// A method or function.
#[derive(Clone)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) kind: FunctionKind,
    pub(super) parameters: Vec<Parameter>,
    /// Absent while only its twin knows it.
    pub(super) returns: Option<String>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum FunctionKind {
    Constructor,
    Method,
    Static,
    Getter,
    Free,
}

/// One parameter, or what stands between them.
#[derive(Clone)]
pub(super) enum Parameter {
    /// What follows is given by name.
    NamedOnly,
    One {
        name: String,
        kind: Option<String>,
        default: Option<String>,
    },
    Rest(String),
    Options {
        name: String,
        kind: Option<String>,
    },
}

/// Reads the sources. Names every public item that has no documentation or no type.
pub(super) fn module() -> Result<Module, String> {
    let files = source::read("bindings-python/src")?;
    let exported = exported(&files);
    let mut module = Module {
        classes: BTreeMap::new(),
        functions: BTreeMap::new(),
    };
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for item in files.iter().flat_map(|file| &file.items) {
        if let Item::Struct(class) = item
            && let Some(attribute) = source::attribute(&class.attrs, "pyclass")
            && exported.contains(&class.ident.to_string())
        {
            let name = literal(attribute, "name").unwrap_or_else(|| class.ident.to_string());
            names.insert(class.ident.to_string(), name.clone());
            module.classes.insert(
                name,
                Class {
                    doc: source::doc(&class.attrs),
                    methods: Vec::new(),
                },
            );
        }
    }
    for item in files.iter().flat_map(|file| &file.items) {
        match item {
            Item::Impl(block) if source::attribute(&block.attrs, "pymethods").is_some() => {
                let Some((ident, _)) = source::named(&block.self_ty) else {
                    continue;
                };
                let Some(name) = names.get(&ident) else { continue };
                let Some(class) = module.classes.get_mut(name) else {
                    continue;
                };
                for item in &block.items {
                    if let ImplItem::Fn(method) = item {
                        let mut method = function(&method.attrs, &method.sig, true, &names)?;
                        // A static method has no `Self`.
                        if method.kind == FunctionKind::Static && method.returns.as_deref() == Some("Self") {
                            method.returns = Some(name.clone());
                        }
                        class.methods.push(method);
                    }
                }
            }
            Item::Fn(free)
                if source::attribute(&free.attrs, "pyfunction").is_some()
                    && exported.contains(&free.sig.ident.to_string()) =>
            {
                let function = function(&free.attrs, &free.sig, false, &names)?;
                module.functions.insert(function.name.clone(), function);
            }
            _ => {}
        }
    }
    for class in module.classes.values_mut() {
        join_twins(&mut class.methods);
    }
    let missing = missing(&module);
    if missing.is_empty() {
        Ok(module)
    } else {
        Err(format!("bindings-python:\n  {}", missing.join("\n  ")))
    }
}

/// What the `register` functions add to the module.
fn exported(files: &[syn::File]) -> Vec<String> {
    let mut names = Vec::new();
    for item in files.iter().flat_map(|file| &file.items) {
        if let Item::Fn(register) = item
            && register.sig.ident == "register"
        {
            let text = register.block.to_token_stream().to_string();
            let words: Vec<&str> = source::words(&text).collect();
            for pair in words.windows(2) {
                if matches!(pair[0], "add_class" | "wrap_pyfunction") {
                    names.push(pair[1].to_owned());
                }
            }
        }
    }
    names
}

fn missing(module: &Module) -> Vec<String> {
    let mut missing = Vec::new();
    let mut check = |path: String, function: &Function| {
        let dunder = function.name.starts_with("__");
        if function.doc.is_empty() && !dunder && function.kind != FunctionKind::Constructor {
            missing.push(format!("{path} has no documentation"));
        }
        if function.returns.is_none() {
            missing.push(format!("{path} has no type for what it returns"));
        }
        for parameter in &function.parameters {
            if let Parameter::One { name, kind: None, .. } | Parameter::Options { name, kind: None } =
                parameter
            {
                missing.push(format!("{path} has no type for `{name}`"));
            }
        }
    };
    for (name, class) in &module.classes {
        for method in &class.methods {
            check(format!("{name}.{}", method.name), method);
        }
    }
    for (name, function) in &module.functions {
        check(name.clone(), function);
    }
    for (name, class) in &module.classes {
        if class.doc.is_empty() {
            missing.push(format!("{name} has no documentation"));
        }
    }
    missing
}

/// `asend` takes what `send` takes and returns a coroutine of what `send` returns.
fn join_twins(methods: &mut [Function]) {
    let known: Vec<Function> = methods.to_vec();
    for method in methods {
        let Some(twin) = method
            .name
            .strip_prefix('a')
            .and_then(|name| known.iter().find(|known| known.name == name))
        else {
            continue;
        };
        method.parameters = twin.parameters.clone();
        if method.returns.is_none() {
            method.returns = twin
                .returns
                .as_ref()
                .map(|returns| format!("Coroutine[Any, Any, {returns}]"));
        }
    }
}

fn function(
    attributes: &[Attribute],
    signature: &Signature,
    method: bool,
    classes: &BTreeMap<String, String>,
) -> Result<Function, String> {
    let has = |name: &str| source::attribute(attributes, name).is_some();
    let kind = match () {
        () if !method => FunctionKind::Free,
        () if has("new") => FunctionKind::Constructor,
        () if has("getter") => FunctionKind::Getter,
        () if has("staticmethod") => FunctionKind::Static,
        () => FunctionKind::Method,
    };
    let name = match kind {
        FunctionKind::Constructor => "__new__".to_owned(),
        _ => signature.ident.to_string(),
    };
    let written = written(attributes, &name)?;
    let mut doc = source::doc(attributes);
    let mut returns = written.as_ref().and_then(|written| written.returns.clone());
    if let Some((text, kind)) = doc.rsplit_once("Returns: ").filter(|_| returns.is_none()) {
        returns = Some(kind.trim().to_owned());
        doc.truncate(text.trim_end().len());
    }
    let given = arguments(signature, classes);
    let mut parameters = match written {
        Some(written) => written.parameters,
        None => given
            .iter()
            .map(|(name, _)| Parameter::One {
                name: name.clone(),
                kind: None,
                default: None,
            })
            .collect(),
    };
    for parameter in &mut parameters {
        if let Parameter::One { name, kind, .. } = parameter
            && kind.is_none()
        {
            *kind = protocol(&signature.ident.to_string(), given.len(), name).or_else(|| {
                given
                    .iter()
                    .find(|(known, _)| known == name)
                    .and_then(|(_, kind)| kind.clone())
            });
        }
    }
    let returns = returns.or_else(|| match &signature.output {
        ReturnType::Default => Some("None".to_owned()),
        ReturnType::Type(_, kind) => python(kind, classes),
    });
    Ok(Function {
        name,
        doc,
        kind,
        parameters,
        returns,
    })
}

/// What Python itself hands to the end of a `with` block.
fn protocol(method: &str, parameters: usize, name: &str) -> Option<String> {
    if !matches!(method, "__exit__" | "__aexit__") || parameters != 3 {
        return None;
    }
    let kind = match name.trim_start_matches('_') {
        "kind" => "type[BaseException] | None",
        "error" => "BaseException | None",
        _ => "TracebackType | None",
    };
    Some(kind.to_owned())
}

/// The arguments that Python gives, without `self` and the interpreter.
fn arguments(signature: &Signature, classes: &BTreeMap<String, String>) -> Vec<(String, Option<String>)> {
    signature
        .inputs
        .iter()
        .filter_map(|input| match input {
            FnArg::Typed(typed) => Some(typed),
            FnArg::Receiver(_) => None,
        })
        .filter_map(|typed| {
            let Pat::Ident(name) = &*typed.pat else {
                return None;
            };
            let name = name.ident.to_string();
            let kind = source::named(&typed.ty).map(|(kind, _)| kind);
            (name != "this" && kind.as_deref() != Some("Python")).then(|| (name, python(&typed.ty, classes)))
        })
        .collect()
}

/// The Python type that a Rust type is. None where Rust says no more than "an object".
fn python(kind: &Type, classes: &BTreeMap<String, String>) -> Option<String> {
    if let Type::Tuple(tuple) = kind {
        let parts: Option<Vec<String>> = tuple.elems.iter().map(|part| python(part, classes)).collect();
        return parts.map(|parts| match parts.as_slice() {
            [] => "None".to_owned(),
            _ => format!("tuple[{}]", parts.join(", ")),
        });
    }
    let (name, arguments) = source::named(kind)?;
    let argument = |index: usize| arguments.get(index).and_then(|kind| python(kind, classes));
    Some(match name.as_str() {
        "String" | "str" => "str".to_owned(),
        "bool" => "bool".to_owned(),
        "f64" => "float".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "i64" | "usize" => "int".to_owned(),
        "PathBuf" => "str | PathLike[str]".to_owned(),
        "SecretArgument" => "Secret | str".to_owned(),
        "Self" => "Self".to_owned(),
        "PyResult" | "PyRef" | "Py" => argument(0)?,
        "Option" => format!("{} | None", argument(0)?),
        "Vec" => match arguments.first().and_then(|item| source::named(item)) {
            Some((item, _)) if item == "u8" => "bytes".to_owned(),
            _ => format!("list[{}]", argument(0)?),
        },
        "BTreeMap" => format!("dict[{}, {}]", argument(0)?, argument(1)?),
        _ => classes.get(&name)?.clone(),
    })
}

struct Written {
    parameters: Vec<Parameter>,
    returns: Option<String>,
}

fn written(attributes: &[Attribute], name: &str) -> Result<Option<Written>, String> {
    let Some(attribute) = source::attribute(attributes, "pyo3") else {
        return Ok(None);
    };
    attribute
        .parse_args::<Written>()
        .map(Some)
        .map_err(|error| format!("the signature of {name}: {error}"))
}

impl Parse for Written {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.parse::<Ident>()?;
        input.parse::<Token![=]>()?;
        let inside;
        syn::parenthesized!(inside in input);
        let parameters = Punctuated::<Parameter, Token![,]>::parse_terminated(&inside)?
            .into_iter()
            .collect();
        let returns = if input.peek(Token![->]) {
            input.parse::<Token![->]>()?;
            Some(input.parse::<LitStr>()?.value())
        } else {
            None
        };
        Ok(Self { parameters, returns })
    }
}

impl Parse for Parameter {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Token![*]) {
            input.parse::<Token![*]>()?;
            if input.peek(Token![*]) {
                input.parse::<Token![*]>()?;
                return Ok(Self::Options {
                    name: input.parse::<Ident>()?.to_string(),
                    kind: annotation(input)?,
                });
            }
            return Ok(match input.parse::<Option<Ident>>()? {
                Some(name) => Self::Rest(name.to_string()),
                None => Self::NamedOnly,
            });
        }
        let name = input.parse::<Ident>()?.to_string();
        let kind = annotation(input)?;
        let default = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            let default = input.parse::<Expr>()?.to_token_stream().to_string();
            Some(match default.as_str() {
                "true" => "True".to_owned(),
                "false" => "False".to_owned(),
                _ => default,
            })
        } else {
            None
        };
        Ok(Self::One { name, kind, default })
    }
}

fn annotation(input: ParseStream<'_>) -> syn::Result<Option<String>> {
    if !input.peek(Token![:]) {
        return Ok(None);
    }
    input.parse::<Token![:]>()?;
    Ok(Some(input.parse::<LitStr>()?.value()))
}

/// `"Google"` of `name = "Google"` in an attribute.
fn literal(attribute: &Attribute, key: &str) -> Option<String> {
    let mut found = None;
    // What the attribute holds besides is of no interest here; a part that does not parse ends the search.
    let _ = attribute.parse_nested_meta(|meta| {
        if meta.input.peek(Token![=]) {
            let value: Expr = meta.value()?.parse()?;
            if let Expr::Lit(text) = &value
                && let syn::Lit::Str(text) = &text.lit
                && meta.path.is_ident(key)
            {
                found = Some(text.value());
            }
        }
        Ok(())
    });
    found
}

#[cfg(test)]
mod tests {
    use super::module;

    #[test]
    fn every_public_item_is_documented_and_typed() {
        let module = module().unwrap();
        let methods: usize = module.classes.values().map(|class| class.methods.len()).sum();
        assert!(module.classes.len() >= 10, "{} classes", module.classes.len());
        assert!(methods >= 60, "{methods} methods");
    }
}
