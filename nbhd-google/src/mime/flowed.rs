//! `format=flowed` text (RFC 3676): soft line breaks are joined, stuffing spaces removed, quote depth kept.

/// Joins the flowed lines of `text`. With `delsp` the space before a soft break is removed.
pub(super) fn unflow(text: &str, delsp: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Option<usize> = None; // the quote depth of the paragraph that the next line continues
    for (index, line) in text.split('\n').enumerate() {
        super::steps::look(line.len());
        let line = line.strip_suffix('\r').unwrap_or(line);
        let depth = line.bytes().take_while(|byte| *byte == b'>').count();
        let rest = &line[depth..];
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let signature = rest == "-- ";
        let soft = rest.ends_with(' ') && !signature;
        if open != Some(depth) || signature {
            if index > 0 {
                out.push('\n');
            }
            out.extend(std::iter::repeat_n('>', depth));
            if depth > 0 && !rest.is_empty() {
                out.push(' ');
            }
        }
        out.push_str(if soft && delsp {
            &rest[..rest.len() - 1]
        } else {
            rest
        });
        open = soft.then_some(depth);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::unflow;

    #[test]
    fn soft_breaks_join_and_depth_is_kept() {
        assert_eq!(unflow("one \ntwo\nthree", false), "one two\nthree");
        assert_eq!(unflow("> a \n> b\n>> c\nd", false), "> a b\n>> c\nd");
        assert_eq!(unflow("text \n-- \nme", false), "text \n-- \nme");
        assert_eq!(unflow(" From me\n >not a quote", false), "From me\n>not a quote");
    }

    #[test]
    fn delsp_removes_the_break_space() {
        assert_eq!(unflow("日 \n本", true), "日本");
    }
}
