//! What readers see of HTML mail.

use crate::mime::{html_to_text, steps};

fn check(html: &str, text: &str) {
    assert_eq!(html_to_text(html), text, "{html}");
}

#[test]
fn blocks_and_breaks() {
    check("<p>one</p><p>two<br>three</p>", "one\n\ntwo\nthree");
    check("<div>a</div><div>b</div>c", "a\nb\nc");
    check("a  \n b&nbsp;&nbsp;c &amp; d&#8364;", "a b c & d€");
    check("<h1>Title</h1>text<hr>more", "Title\n\ntext\n---\nmore");
    check("<pre>x\n  y\n</pre>z", "x\n  y\n\nz");
    check("", "");
}

#[test]
fn lists_and_tables() {
    check(
        "<ul><li>a<li>b<ol><li>c</li><li>d</li></ol></ul>end",
        "- a\n- b\n  1. c\n  2. d\n\nend",
    );
    check(
        "<table><tr><th>Item<th>Price<tr><td>Tea</td><td></td><td>2 €</td></tr></table>",
        "Item | Price\nTea | 2 €",
    );
    check(
        "<table><tr><td><p>one</p></td><td><p>two</p></td></tr></table>",
        "one\n\ntwo",
    );
}

#[test]
fn links_stand_once() {
    check(
        "<a href='https://x.org/a'>Read</a> or <a href='https://x.org/a'>again</a> <a href='https://x.org/'>x.org</a>",
        "Read <https://x.org/a> or again x.org",
    );
    check(
        "<a href='javascript:x()'>no</a> <a href='#top'>top</a> <a href='https://x.org'></a>",
        "no top",
    );
    check("<a href='mailto:a@x.org'>a@x.org</a>", "a@x.org");
    check(
        "<p><a href='https://x.org/b'><img src=x alt='Buy now'></a>",
        "[Buy now] <https://x.org/b>",
    );
}

#[test]
fn what_is_hidden_stays_hidden() {
    check(
        "<style>p{}</style><script>x</script><!-- c --><title>t</title>seen",
        "seen",
    );
    check(
        "<div style='display:none;max-height:0'>preview<p>of it</p></div>seen",
        "seen",
    );
    check(
        "<div style='font-size:0'>no<span style='font-size:12px'>yes</span></div>",
        "yes",
    );
    check("a&#847;&zwnj;&nbsp;&#847;&zwnj;&nbsp;&#8203;b&shy;c", "a bc");
    check("👩\u{200d}💻 می\u{200c}خواهم", "👩\u{200d}💻 می\u{200c}خواهم");
    check(
        "<img width=1 height=1 alt=pixel src=x>seen<img src=y alt=''>",
        "seen",
    );
    check("<span style='display:none'>x</div></p></span>seen", "seen");
    check(
        "<!--[if mso]><p>outlook</p><![endif]-->seen<![if !mso]> too<![endif]>",
        "seen too",
    );
}

#[test]
fn quotes_are_marked() {
    check(
        "ok<blockquote>one<br>two<blockquote>three</blockquote></blockquote>",
        "ok\n\n> one\n> two\n>\n> > three",
    );
}

#[test]
fn hostile_documents_stay_linear() {
    for unit in [
        "<div>",
        "</p>",
        "<div></b>",
        "<a href=x>",
        "<table><tr><td>",
        "<blockquote>",
        "<ul><li>x",
        "<li><div>",
        "&amp;<",
        "<!--x-->",
        "<!--",
        "<p style='display:none'>x</b>",
    ] {
        let read = |html: &str| {
            let text = html_to_text(html);
            assert!(
                text.len() <= html.len() * 12,
                "{unit}: {} bytes from {}",
                text.len(),
                html.len()
            );
        };
        steps::assert_linear(unit, 4_000, read);
    }
}
