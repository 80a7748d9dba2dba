//! Our rendering against what other libraries' own tests expect. They differ from each other and from us on purpose
//! (decorated headings, formulas, bullets of their own), so this counts agreement and holds a floor.

use nbhd_channels::telegram::{entities, html};
use nbhd_channels::text::{Limits, Text, Unit, shows_the_same, split};
use nbhd_core::testkit::shared_fixtures;
use serde_json::Value;

fn cases(file: &str) -> Option<Vec<Value>> {
    let Some(fixtures) = shared_fixtures() else {
        println!("skipped: shared fixtures are not here");
        return None;
    };
    #[expect(clippy::disallowed_methods, reason = "fixtures are read in place")]
    let text = std::fs::read_to_string(fixtures.join("channels").join(file)).expect("readable");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    all["cases"].as_array().cloned()
}

/// Ours, and theirs where only a sign differs that each library chooses for itself.
fn text_alike(ours: &str, theirs: &str) -> bool {
    let theirs = theirs.replace('⦁', "•").replace('✅', "☑");
    ours.trim_end() == theirs.trim_end()
}

/// Tests of decorations that a library adds of its own and we do not: signs before headings and pictures, formulas, folding
/// quotations, file names and bare domains made code or links.
const DECORATIONS: &[&str] = &[
    "HeadingTest",
    "test_heading",
    "ComplexDocumentTest",
    "LatexConverterTest",
    "MathTest",
    "ImageTest",
    "expandable",
    "file ref",
    "edge cases",
    "real URL",
];

fn is_decoration(case: &Value) -> bool {
    let name = case["test"].as_str().unwrap_or_default();
    DECORATIONS.iter().any(|decoration| name.contains(decoration))
}

#[test]
fn entities_as_another_library_makes_them() {
    let Some(cases) = cases("md_telegram_entities.json") else {
        return;
    };
    let (mut alike, mut all) = (0, 0);
    for case in cases
        .iter()
        .filter(|case| case["fn"] == "convert" && !is_decoration(case))
    {
        let text = Text::from_markdown(case["input"].as_str().unwrap_or_default());
        let sorted = |entities: &Value| {
            let mut list = entities.as_array().cloned().unwrap_or_default();
            list.sort_by_key(ToString::to_string);
            list
        };
        let ours = serde_json::to_value(entities(&text)).expect("JSON");
        let expected = &case["expected"];
        all += 1;
        if text_alike(&text.content, expected["text"].as_str().unwrap_or_default())
            && sorted(&ours) == sorted(&expected["entities"])
        {
            alike += 1;
        } else {
            println!(
                "differs: {}\n  ours   {:?} {ours}\n  theirs {expected}",
                case["test"], text.content
            );
        }
    }
    println!("{alike} of {all} alike");
    assert!(alike >= 28 && all >= 32, "{alike} of {all}");
}

#[test]
fn html_as_another_library_makes_it() {
    let Some(cases) = cases("md_telegram_html.json") else {
        return;
    };
    let (mut alike, mut all) = (0, 0);
    for case in cases
        .iter()
        .filter(|case| case["fn"] == "markdownToTelegramHtml" && !is_decoration(case))
    {
        let expected = case["expected"].as_str().unwrap_or_default();
        let ours = html(&Text::from_markdown(case["input"].as_str().unwrap_or_default()));
        let holds = match case["kind"].as_str() {
            Some("equals") => ours == expected,
            Some("contains") => ours.contains(expected),
            Some("not_contains") => !ours.contains(expected),
            _ => continue,
        };
        all += 1;
        if holds {
            alike += 1;
        } else {
            println!(
                "differs: {}\n  ours   {ours:?}\n  theirs {expected:?}",
                case["test"]
            );
        }
    }
    println!("{alike} of {all} alike");
    assert!(alike >= 27 && all >= 29, "{alike} of {all}");
}

#[test]
fn splitting_keeps_the_promises_that_other_libraries_test() {
    let Some(cases) = cases("chunking.json") else {
        return;
    };
    let (mut held, mut alike) = (0, 0);
    for case in &cases {
        let options = &case["options"];
        let size = options[0]
            .as_u64()
            .or(options[0]["maxChars"].as_u64())
            .or(options["max_utf16_len"].as_u64());
        let (Some(input), Some(size)) = (case["input"].as_str(), size) else {
            continue;
        };
        let text = if case["fn"].as_str().is_some_and(|name| name.contains("Markdown")) {
            Text::from_markdown(input)
        } else {
            Text::plain(input)
        };
        let parts = split(&text, Limits::new(Unit::Utf16, size as usize));
        assert!(
            shows_the_same(parts.iter().map(|part| &*part.content), [&*text.content]),
            "{}",
            case["test"]
        );
        assert!(
            parts
                .iter()
                .all(|part| Unit::Utf16.size(&part.content) <= size as usize),
            "{}",
            case["test"]
        );
        held += 1;
        let ours: Vec<&str> = parts.iter().map(|part| &*part.content).collect();
        if case["expected"].as_array().is_some_and(|theirs| {
            ours.iter().eq(theirs
                .iter()
                .filter_map(|part| part.as_str())
                .collect::<Vec<_>>()
                .iter())
        }) {
            alike += 1;
        }
    }
    println!("{held} inputs split within their limits and whole, {alike} in the same places");
    assert!(held >= 49 && alike >= 17, "{held} {alike}");
}
