use crate::text::{Mentions, Style, Text, render_plain};

fn content(markdown: &str) -> String {
    Text::from_markdown(markdown).content
}

fn styled(markdown: &str) -> Vec<(String, Style)> {
    let text = Text::from_markdown(markdown);
    let piece = |start: usize, end: usize| text.content[start..end].to_owned();
    text.spans
        .iter()
        .map(|span| (piece(span.start, span.end), span.style.clone()))
        .collect()
}

#[test]
fn blocks_stand_apart_and_lists_stay_together() {
    assert_eq!(
        content("# Title\n\nText\nmore\n\n- a\n- b\n  - c\n\nend"),
        "Title\n\nText\nmore\n\n• a\n• b\n  • c\n\nend"
    );
    assert_eq!(content("2. two\n3. three"), "2. two\n3. three");
    assert_eq!(content("- [x] done\n- [ ] open"), "☑ done\n☐ open");
    assert_eq!(content("- one\n\n  more\n\n- two"), "• one\n  more\n• two");
    assert_eq!(content("- - a\n  - b"), "• \n  • a\n  • b");
    assert_eq!(content("> - a\n> - b\n\nend"), "• a\n• b\n\nend");
    assert_eq!(content("a\n\n---\n\nb"), "a\n\n————————\n\nb");
}

#[test]
fn styles_nest_and_never_contain_themselves() {
    assert_eq!(
        styled("**bold *both* [link](https://e.org)**"),
        [
            ("bold both link".to_owned(), Style::Bold),
            ("both".to_owned(), Style::Italic),
            (
                "link".to_owned(),
                Style::Link {
                    url: "https://e.org".to_owned()
                }
            ),
        ]
    );
    assert_eq!(styled("**a **b** c**").len(), 1);
    assert_eq!(styled("> a\n> > b").len(), 1);
}

#[test]
fn spoilers_need_partners_within_one_style() {
    assert_eq!(
        styled("the answer is ||42||"),
        [("42".to_owned(), Style::Spoiler)]
    );
    assert_eq!(
        styled("||**secret** text||"),
        [
            ("secret text".to_owned(), Style::Spoiler),
            ("secret".to_owned(), Style::Bold)
        ]
    );
    for literal in ["before || after", "a || b || c", "(￣_￣|) face", "||a **b|| c**"] {
        assert!(
            styled(literal).iter().all(|(_, style)| *style != Style::Spoiler),
            "{literal}"
        );
    }
    assert_eq!(content("||secret|| trailing ||"), "secret trailing ||");
    assert_eq!(content("\\|\\|plain\\|\\|"), "||plain||");
    assert_eq!(content("`||code||`"), "||code||");
}

#[test]
fn tables_become_aligned_code() {
    assert_eq!(
        content("| a | long |\n|---|---|\n| 日本 | 2 |"),
        "a    | long\n-----+-----\n日本 | 2"
    );
    assert!(matches!(
        styled("| a |\n|---|\n| 1 |")[0].1,
        Style::CodeBlock { .. }
    ));
}

#[test]
fn only_web_links_lead_anywhere() {
    assert!(styled("[x](javascript:alert(1)) [y](tg://user?id=1) [z](#anchor)").is_empty());
    assert_eq!(content("[write](mailto:a@b.org)"), "write (a@b.org)");
    assert_eq!(content("[](https://e.org/)"), "https://e.org/");
    assert_eq!(
        render_plain(&Text::from_markdown("[x](https://e.org) y")),
        "x (https://e.org) y"
    );
}

#[test]
fn mentions_are_dead_until_asked_for() {
    for markdown in ["hi @anna", "hi @**anna**", "hi @\\_anna", "hi @||anna||"] {
        let text = content(markdown);
        assert!(text.starts_with("hi @\u{2060}"), "{markdown}: {text:?}");
    }
    assert_eq!(
        Text::from_markdown_with("hi @anna", Mentions::Live).content,
        "hi @anna"
    );
}

#[test]
fn html_is_shown_not_obeyed() {
    assert_eq!(content("<b>nope</b>"), "<b>nope</b>");
    assert_eq!(
        content("<script>\nx\n</script>\n\nafter"),
        "<script>\nx\n</script>\n\nafter"
    );
}

/// Hostile input of about so many bytes.
type Shape = fn(usize) -> String;

#[test]
fn output_is_linear_in_hostile_input() {
    let shapes: [(&str, Shape); 10] = [
        ("nested quotes", |n| ">".repeat(n)),
        ("nested lists", |n| "- ".repeat(n / 2)),
        ("indented lists", |n| {
            (0..n / 60)
                .flat_map(|i| ["  ".repeat(i % 30), "- a\n".to_owned()])
                .collect()
        }),
        ("open emphasis", |n| "*a _b ".repeat(n / 6)),
        ("nested emphasis", |n| {
            format!("{}a{}", "**".repeat(n / 4), "**".repeat(n / 4))
        }),
        ("brackets", |n| "[".repeat(n)),
        ("nested images", |n| {
            format!("{}x{}", "![".repeat(n / 12), "](tel:1234)".repeat(n / 12))
        }),
        ("wide table", |n| {
            format!(
                "{}\n{}\n{}",
                "|a".repeat(n / 6),
                "|-".repeat(n / 6),
                "|\n".repeat(n / 6)
            )
        }),
        ("wide cell", |n| {
            format!("|{}|b|\n|-|-|\n{}", "a".repeat(n / 2), "|1|2|\n".repeat(n / 12))
        }),
        ("pipes", |n| "||a".repeat(n / 3)),
    ];
    for (name, shape) in shapes {
        let size = |n: usize| {
            let text = Text::from_markdown(&shape(n));
            text.content.len() + text.spans.len() + text.blocks.len()
        };
        let (small, large) = (size(3_000), size(30_000));
        assert!(large <= 13 * small.max(100), "{name}: {small} became {large}");
    }
}
